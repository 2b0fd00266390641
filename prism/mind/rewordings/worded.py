"""Rewordings by words: the cosine of bags of stems, each weighted by how rare it is (idf)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import torch

from prism.mind.reflect.words import FUNCTION, stem, tokens

LEVEL, MARGIN = 0.4, 0.05  # least cosine, and lead before an input with another output
NEAREST = 8  # inputs among which a rival is looked for


class WordSpace:
    """Inputs as bags of stems, each weighted by its idf among the inputs."""

    def __init__(self) -> None:
        self._bags: list[frozenset[str]] = []
        self._counts: Counter[str] = Counter()

    def put(self, number: int, text: str, output: str) -> None:
        """The pair ``number``; numbers count up from 0, an earlier one gets another output."""
        if number < len(self._bags):
            return
        bag = _bag(text)
        self._bags.append(bag)
        self._counts.update(bag)

    def best(self, text: str, outputs: Sequence[str]) -> tuple[int, float] | None:
        """The pair that a text asks for and its cosine; None = none of them.

        Args:
            outputs: of all pairs, by number.
        """
        bag = _bag(text)
        cosines = torch.tensor([self._cosine(bag, other) for other in self._bags])
        score, number = (found.item() for found in cosines.max(0))
        ahead = cosines.topk(min(len(cosines), NEAREST)).indices.tolist()
        other = (float(cosines[i]) for i in ahead if outputs[i] != outputs[number])
        enough = score >= LEVEL and score - next(other, 0.0) >= MARGIN
        return (number, score) if enough else None

    def _cosine(self, one: frozenset[str], other: frozenset[str]) -> float:
        shared = self._weight(one & other)
        return shared / math.sqrt(self._weight(one) * self._weight(other) or 1.0)

    def _weight(self, stems: frozenset[str]) -> float:
        return sum(math.log(1 + (1 + len(self._bags)) / (1 + self._counts[s])) ** 2 for s in stems)


def _bag(text: str) -> frozenset[str]:
    words = [t.lower for t in tokens(text)]
    return frozenset(stem(w) for w in words if w not in FUNCTION) or frozenset(words)
