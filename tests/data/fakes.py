"""Sources in memory, and one way to see what a stream has read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from torch import Tensor

from prism.data.document import Document
from prism.data.mix import Mix, Weighted
from prism.data.order import Place, Source, Walk, Window


class Shelf:
    """A source whose segments, windows and documents are given: ``shelf[segment][window]``."""

    def __init__(self, shelf: Sequence[Sequence[Sequence[str]]], name: str = "shelf") -> None:
        self.name = name
        self.shelf = shelf

    def segments(self) -> int:
        return len(self.shelf)

    def window(self, segment: int, cursor: int) -> Window:
        windows = self.shelf[segment]
        texts = windows[cursor] if windows else []
        following = cursor + 1 if cursor + 1 < len(windows) else None
        return Window(len(texts), lambda i: self._document(texts, segment, cursor, i), following)

    def fingerprint(self) -> str:
        return hashlib.blake2b(json.dumps(self.shelf).encode()).hexdigest()

    @staticmethod
    def _document(texts: Sequence[str], segment: int, cursor: int, i: int) -> Document:
        return Document(((texts[i], True),), f"segment {segment} window {cursor} document {i}")


def numbered(count: int, name: str = "shelf", length: int = 0, per_segment: int = 5) -> Shelf:
    """Documents ``<name>0``, ``<name>1``, ... with dots up to ``length`` characters."""
    texts = [f"<{name}{i}>".ljust(length, ".") for i in range(count)]
    return Shelf([[texts[i : i + per_segment]] for i in range(0, count, per_segment)], name)


def mix_of(*sources: Shelf, weights: Sequence[float] = (), held_out: float = 1e-9) -> Mix:
    """A mix that holds out next to nothing."""
    weights = weights or [1.0] * len(sources)
    return Mix(tuple(map(Weighted, sources, weights)), held_out)


def documents_in(tokens: Tensor) -> list[str]:
    """Whole documents in a stretch of byte tokens, ``[N]``."""
    texts: list[str] = []
    piece: list[int] = []
    for token in tokens.tolist():
        if token == 256:
            texts.append(bytes(piece).decode())
            piece = []
        else:
            piece.append(token)
    return texts


def read_epoch(source: Source, seed: int | None) -> list[str]:
    """The texts of one whole epoch, in the order in which they are read."""
    walk = Walk(source, seed)
    found, place = [], walk.find(Place())
    while place.epoch == 0:
        found.append(walk.read(place).text)
        place = walk.find(place._replace(index=place.index + 1))
    return found
