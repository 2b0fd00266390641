"""A teacher: a frozen language model, its tokenizer, and the last hidden states of its positions.

    logits = hidden head^T        head [V, D], hidden = final norm of the residual stream

so D numbers a position hold the whole distribution over V tokens (Liu et al. 2026 and others store
them for speculative decoding). SmolLM2 from its package, or any model that ``prism.load`` reads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from prism.data.tokens import FileTokenizer, Tokenizer
from prism.engine.products import products
from prism.loading import load_with_tokenizer
from prism.pretrained.llama import Llama
from prism.record import weights_hash

SMOLLM2 = "smollm2"
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
OVERLAP = 4  # the share of a window that is read again, one in so many


@dataclass(frozen=True)
class Teacher:
    """A model that is asked, never trained.

    Attributes:
        name: as given.
        model: in evaluation mode, in ``dtype``.
        tokenizer: of the model.
        head: ``[V, D]`` fp32.
        dtype: of the body, a key of ``DTYPES``.
    """

    name: str
    model: Any
    tokenizer: Tokenizer
    head: Tensor
    dtype: str = "fp32"

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Hashes and sizes by which a store knows its teacher; the same for every dtype."""
        return {
            "name": self.name,
            "head": tensor_hash(self.head),
            "tokenizer": self.tokenizer.fingerprint(),
            "vocab_size": len(self.head),
            "d_model": self.head.shape[1],
        }

    def hidden(self, ids: list[int], context: int) -> Tensor:
        """The state after each of ``ids``, ``[n, D]`` fp32, what the head is applied to.

        A document longer than ``context`` is read in windows of that length, each of which begins
        a quarter before the end of the one before; states of the second reading of a token are
        dropped. So a state has seen at least a quarter of ``context``, but at the start.
        """
        tokens = torch.tensor(ids)
        with torch.inference_mode(), products(self.dtype, tokens.device):
            parts = [
                self._read(tokens[begin:end])[skip:]
                for begin, end, skip in windows(len(ids), context)
            ]
        return torch.cat(parts).float()

    def _read(self, tokens: Tensor) -> Tensor:
        if isinstance(self.model, Llama):
            last = len(self.model.blocks) - 1
            return self.model.norm(self.model.watch(tokens[None], [last])[0][last])[0]
        return self.model(tokens[None]).hidden[0]


def windows(length: int, context: int) -> Iterator[tuple[int, int, int]]:
    """Begin, end and number of states to drop of every window over ``length`` tokens."""
    back = context // OVERLAP
    begin = skip = 0
    while True:
        end = min(begin + context, length)
        yield begin, end, skip
        if end == length:
            return
        begin, skip = end - back, back


def open_teacher(name: str, dtype: str = "fp32") -> Teacher:
    """The teacher ``smollm2``, or the model at a path with its tokenizer.

    Args:
        dtype: of its body.

    Raises:
        ImportError: SmolLM2's packages are missing; says how to install them.
        FileNotFoundError, ValueError: there is no whole model.
    """
    tokenizer: Tokenizer
    if name == SMOLLM2:
        from prism.pretrained.smollm2 import load_smollm2  # its packages are optional

        model, spoken = load_smollm2()
        tokenizer = FileTokenizer(SMOLLM2, spoken.core.to_str().encode())
        head = model.embedding.weight
    else:
        model, tokenizer = load_with_tokenizer(name)
        head = model.head.weight
    head = head.detach().float().clone()
    return Teacher(name, model.to(DTYPES[dtype]).eval(), tokenizer, head, dtype)


def open_head(identity: dict[str, Any]) -> Tensor:
    """The head ``[V, D]`` fp32 of the teacher that a store names.

    Raises:
        ValueError: it is another one now.
    """
    head = open_teacher(identity["name"]).head
    check_head(head, identity)
    return head


def check_head(head: Tensor, identity: dict[str, Any]) -> None:
    """Raises:
    ValueError: ``head`` is not the one that the states of a store are for."""
    if (found := tensor_hash(head)) != identity["head"]:
        raise ValueError(f"teacher {identity['name']}: its head has hash {found}: must be "
                         f"{identity['head']}, the store's")  # fmt: skip


def tensor_hash(tensor: Tensor) -> str:
    """BLAKE2b of a tensor with its shape, 32 hex digits."""
    digest = hashlib.blake2b(digest_size=16)
    return weights_hash({"": tensor}, digest, shapes=True)
