"""What a tape would do with text the model has read once.

Up to the first token that a fact puts there the logits are the bare model's, so hidden states and
attention are those of the bare model and can be kept: many tapes are tried on one reading. When a
fact begins, its whole answer follows from the register. This is exact for greedy decoding; the
protocol checks it against real generation on a sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from prism.holo.lm.attached import AttachedLM
from prism.holo.lm.listener import Firing, Listener
from prism.holo.lm.reading import read

LONGEST = 24  # tokens of an answer
BATCH = 24


@dataclass
class Heard:
    """One text as the bare model read it: ``tokens`` T, ``hidden [T, D]`` of the calibrated layer,
    ``attention [T, T]`` of its heads, and the model's own next token ``top``."""

    tokens: list[int]
    hidden: Tensor
    attention: Tensor
    top: int


class Readings:
    """Texts read by the bare model, each once."""

    def __init__(self, lm: AttachedLM) -> None:
        self._lm = lm
        self._kept: dict[str, Heard] = {}
        self._windows: dict[str, list[Heard]] = {}

    def of(self, texts: Sequence[str]) -> list[Heard]:
        """One :class:`Heard` per text."""
        new = [t for t in dict.fromkeys(texts) if t not in self._kept]
        tokens = {t: self._lm.tokenizer.encode(t) for t in new}
        new.sort(key=lambda t: len(tokens[t]))
        for low in range(0, len(new), BATCH):
            some = new[low : low + BATCH]
            self._kept.update(zip(some, self._read([tokens[t] for t in some]), strict=True))
        return [self._kept[t] for t in texts]

    def windows(self, name: str, tokens: Sequence[int], size: int) -> list[Heard]:
        """Running text in windows of ``size`` tokens; the one called "prose" is always the same
        and is kept."""
        if name in self._windows:
            return self._windows[name]
        cuts = [tokens[i : i + size] for i in range(0, len(tokens) - size + 1, size)]
        heard = [self._read([list(cut)])[0] for cut in cuts]
        if name == "prose":
            self._windows[name] = heard
        return heard

    def _read(self, rows: list[list[int]]) -> list[Heard]:
        found = self._lm.knowledge.calibration
        length = max(map(len, rows))
        padded = torch.tensor([[*r, *[0] * (length - len(r))] for r in rows])
        out = read(self._lm.model, padded, None, [found.layer], found.heads)
        hidden = out.hidden[found.layer]
        weights = torch.stack([out.attention[h] for h in found.heads]).mean(dim=0)
        top = out.logits.argmax(dim=-1)
        return [
            Heard(
                row,
                hidden[b, : len(row)].clone(),
                weights[b, : len(row), : len(row)].clone(),
                int(top[b, len(row) - 1]),
            )
            for b, row in enumerate(rows)
        ]


def firings(lm: AttachedLM, heard: Heard) -> list[Firing | None]:
    """What the tape says after each token of the text."""
    return Listener(lm.knowledge).hear(heard.tokens, heard.hidden, heard.attention)


def answer(lm: AttachedLM, heard: Heard) -> list[int]:
    """The tokens that a fact puts after the text, none if no fact is asked for at its end."""
    firing = firings(lm, heard)[-1]
    if firing is None:
        return []
    tokens = [firing.token]
    while len(tokens) < LONGEST:
        read_ = lm.knowledge.read(firing.subject, firing.relation, len(tokens))
        if read_ is None:
            break
        tokens.append(read_[0])
    return tokens
