"""The order of a source's documents: seeded, endless, and computed rather than stored.

A source is a number of *segments* that can be opened in any order (a megabyte of a file, a row
group, a shard), each of one or more *windows* of documents that follow one another. An epoch goes
through the segments in one random order and through every window in another,

    document at (epoch e, segment position p, window c, index j)
        = window(P_e(p), c)[ Q_{e,p,c}(j) ],

with P and Q bijections made by a keyed Feistel network (cycle-walked down from a power of four;
https://en.wikipedia.org/wiki/Format-preserving_encryption). Nothing is buffered, so nothing can be
lost or doubled on resume: a place is four integers. Opening a segment needs no look at the others,
so the first document of a terabyte comes as fast as that of a page.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from prism.data.document import Document
from prism.splitmix import GAMMA, mix
from prism.whole_file import reason

ROUNDS = 8
KEPT_WINDOWS = 32  # per source; streams of one process are near one another
PAUSES = (0.25, 1.0, 4.0)  # seconds, before a window is opened again after an error of the system


@dataclass(frozen=True)
class Window:
    """Documents that follow one another, parsed only when asked for.

    Attributes:
        count: how many there are.
        read: ``read(i)`` gives document i of 0..count-1.
        next: cursor of the window after it in its segment; None = this was the last.
    """

    count: int
    read: Callable[[int], Document]
    next: int | None = None


class Source(Protocol):
    """Documents in segments and windows. Reading has no visible side effect."""

    name: str

    def segments(self) -> int:
        """Number of segments, found without reading the text."""

    def window(self, segment: int, cursor: int) -> Window:
        """The window of ``segment`` that starts at ``cursor``; 0 is its first.

        Raises:
            OSError: the system refuses, maybe for the moment.
            ValueError: it cannot be read; names source, place and cause.
        """

    def fingerprint(self) -> str:
        """Equal for equal contents in the same order, wherever they lie."""


class Place(NamedTuple):
    """A place in the endless order; ``index`` may point past its window, and is then carried on
    into the windows that follow."""

    epoch: int = 0
    position: int = 0
    cursor: int = 0
    index: int = 0


def mix64(*values: int) -> int:
    """A well-mixed 64-bit hash of some integers (:func:`prism.splitmix.mix`, chained)."""
    h = 0
    for value in values:
        h = mix(h + value + GAMMA)
    return h


def permuted(i: int, n: int, key: int) -> int:
    """Image of ``i`` under the ``key``-th bijection of 0..n-1."""
    if not 0 <= i < n:
        raise ValueError(f"index = {i}: must be in 0..{n - 1}")
    half = max(1, ((n - 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    while True:  # a walk along the cycle of i in the larger set comes back into 0..n-1
        left, right = i >> half, i & mask
        for r in range(ROUNDS):
            left, right = right, left ^ (mix64(key, r, right) & mask)
        i = left << half | right
        if i < n:
            return i


class Walk:
    """Reads a source in its seeded order.

    Args:
        source: what to read.
        seed: of the order; None = the order in which the source stores its documents.
    """

    def __init__(self, source: Source, seed: int | None) -> None:
        self.source = source
        self.segments = source.segments()
        if self.segments < 1:
            raise ValueError(f"source {source.name}: is empty; must hold at least one document")
        self._seed = seed
        self._sizes: dict[tuple[int, int], tuple[int, int | None]] = {}
        self._opened: set[int] = set()
        self._documents = 0
        self._windows: OrderedDict[tuple[int, int], Window] = OrderedDict()

    def find(self, place: Place) -> Place:
        """The same document with ``index`` inside its window, maybe epochs later.

        Raises:
            ValueError: the source has no document at all.
        """
        epoch, position, cursor, index = place
        while True:
            count, following = self._size(self._segment(epoch, position), cursor)
            if index < count:
                return Place(epoch, position, cursor, index)
            index -= count
            if following is not None:
                cursor = following
                continue
            position, cursor = position + 1, 0
            if position == self.segments:
                epoch, position = epoch + 1, 0
                if self._documents == 0 and len(self._opened) == self.segments:
                    raise ValueError(f"source {self.source.name}: holds no document")

    def passes(self, place: Place) -> float:
        """Passes over the source before a place that :meth:`find` gave; to within a segment, where
        that has several windows."""
        count, following = self._size(self._segment(place.epoch, place.position), place.cursor)
        inside = place.index / count if place.cursor == 0 and following is None else 0.0
        return place.epoch + (place.position + inside) / self.segments

    def read(self, place: Place) -> Document:
        """The document at a place that :meth:`find` gave."""
        segment = self._segment(place.epoch, place.position)
        window = self._window(segment, place.cursor)
        index = place.index
        if self._seed is not None:
            key = mix64(self._seed, place.epoch, place.position, place.cursor)
            index = permuted(index, window.count, key)
        return window.read(index)

    def _segment(self, epoch: int, position: int) -> int:
        if self._seed is None:
            return position
        return permuted(position, self.segments, mix64(self._seed, epoch))

    def _size(self, segment: int, cursor: int) -> tuple[int, int | None]:
        if (segment, cursor) not in self._sizes:
            window = self._window(segment, cursor)
            self._sizes[segment, cursor] = (window.count, window.next)
            self._documents += window.count
            self._opened.add(segment)
        return self._sizes[segment, cursor]

    def _window(self, segment: int, cursor: int) -> Window:
        key = (segment, cursor)
        if key not in self._windows:
            self._windows[key] = self._opened_window(segment, cursor)
            if len(self._windows) > KEPT_WINDOWS:
                self._windows.popitem(last=False)
        self._windows.move_to_end(key)
        return self._windows[key]

    def _opened_window(self, segment: int, cursor: int) -> Window:
        """A window of the source; what the system refuses is tried again for a while."""
        for pause in PAUSES:
            try:
                return self.source.window(segment, cursor)
            except OSError:
                time.sleep(pause)
        try:
            return self.source.window(segment, cursor)
        except OSError as error:
            tried = f"tried {len(PAUSES) + 1} times in {sum(PAUSES):g} s"
            raise ValueError(f"source {self.source.name}: {reason(error)} ({tried})") from error


def stored(source: Source) -> Iterator[Document]:
    """All documents of a source once, in the order in which it stores them."""
    walk, place = Walk(source, seed=None), Place()
    while (place := walk.find(place)).epoch == 0:
        yield walk.read(place)
        place = place._replace(index=place.index + 1)
