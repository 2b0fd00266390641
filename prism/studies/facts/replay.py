"""Replay of a tape on text that the model has read once.

Up to the first token that a fact puts there the logits are the bare model's, so hidden states and
attention are those of the bare model and can be kept: many tapes are tried on one reading. When a
fact begins, its whole answer follows from the accumulator. This is exact for greedy decoding; the
protocol checks it against real generation on a sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from prism.inject.attached import AttachedLM
from prism.inject.reading import batches, read, watch
from prism.inject.trigger import FactTrigger, Injection

LONGEST = 24  # tokens of an answer
BATCH = 24


@dataclass
class Activations:
    """Activations on one text: ``tokens`` T, ``hidden [T, n, D]`` of the calibrated
    layers, ``attention [T, T]`` of the heads."""

    tokens: list[int]
    hidden: Tensor
    attention: Tensor


class ActivationCache:
    """Activations of the bare model, each text read once."""

    def __init__(self, lm: AttachedLM) -> None:
        self._lm = lm
        self._kept: dict[tuple[int, ...], Activations] = {}
        self._likeliest: dict[str, int] = {}
        self._windows: dict[str, list[Activations]] = {}

    def of(self, texts: Sequence[str]) -> list[Activations]:
        """One :class:`Activations` per text."""
        return self.of_tokens([self._lm.tokenizer.encode(t) for t in texts])

    def of_tokens(self, rows: Sequence[Sequence[int]]) -> list[Activations]:
        """As :meth:`of`, of texts that are tokens already."""
        keys = [tuple(row) for row in rows]
        new = [k for k in dict.fromkeys(keys) if k not in self._kept]
        for some, padded in batches(new, BATCH):
            read_ = self._read([list(new[i]) for i in some], padded)
            self._kept |= zip([new[i] for i in some], read_, strict=True)
        return [self._kept[k] for k in keys]

    def likeliest(self, texts: Sequence[str]) -> list[int]:
        """The bare model's own next token after each text."""
        new = [t for t in dict.fromkeys(texts) if t not in self._likeliest]
        rows = [self._lm.tokenizer.encode(t) for t in new]
        for some, padded in batches(rows, BATCH):
            best = read(self._lm.model, padded).logits.argmax(dim=-1)
            for b, i in enumerate(some):
                self._likeliest[new[i]] = int(best[b, len(rows[i]) - 1])
        return [self._likeliest[t] for t in texts]

    def windows(self, name: str, tokens: Sequence[int], size: int) -> list[Activations]:
        """Running text in windows of ``size`` tokens; the one called "prose" is always the same
        and is kept."""
        if name in self._windows:
            return self._windows[name]
        cuts = [tokens[i : i + size] for i in range(0, len(tokens) - size + 1, size)]
        windows = [self._read([list(cut)], torch.tensor([cut]))[0] for cut in cuts]
        if name == "prose":
            self._windows[name] = windows
        return windows

    def _read(self, rows: list[list[int]], padded: Tensor) -> list[Activations]:
        chosen = self._lm.knowledge.calibration
        layers, attention = watch(self._lm.model, padded, chosen.layers, chosen.heads)
        hidden = torch.stack([layers[layer] for layer in chosen.layers], dim=2)
        weights = torch.stack([attention[h] for h in chosen.heads]).mean(dim=0)
        return [
            Activations(
                row,
                hidden[b, : len(row)].clone(),
                weights[b, : len(row), : len(row)].clone(),
            )
            for b, row in enumerate(rows)
        ]


def injections(lm: AttachedLM, text: Activations) -> list[Injection | None]:
    """The injection after each token of the text, or None."""
    return FactTrigger(lm.knowledge).step(text.tokens, text.hidden, text.attention)


def answer(lm: AttachedLM, text: Activations) -> list[int]:
    """The tokens that a fact injects after the text; none if no fact fires at its end."""
    injection = injections(lm, text)[-1]
    if injection is None:
        return []
    tokens = [injection.token]
    while len(tokens) < LONGEST:
        read_ = lm.knowledge.read(injection.subject, injection.relation, len(tokens))
        if read_ is None:
            break
        tokens.append(read_[0])
    return tokens
