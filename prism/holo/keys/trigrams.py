"""Texts near a text by their character trigrams: an inverted index in arrays.

    w_g = ln(1 + n / n_g),      cos(a, b) = sum_g w_g^2 a_g b_g / (|a| |b|)

over n texts, n_g of which hold trigram g; a_g counts it in text a. An entry says that a trigram
stands so many times in a text. Most entries are sorted by trigram, so a question looks at those of
its own trigrams only; the newest ones wait unsorted until they are worth a sort.
"""

from __future__ import annotations

from array import array
from collections import Counter

import numpy as np

GRAM = 3
TAIL = 4096  # entries that may always wait unsorted


class Trigrams:
    """Texts under the numbers that their owner gives them."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}  # of trigrams
        self._rows: dict[int, int] = {}  # of live texts, by the owner's number
        self._codes = array("Q")  # the owner's number of each row, live or not
        self._entries = tuple(np.zeros(0, np.int32) for _ in range(3))  # trigram, row, times
        self._starts = np.zeros(1, np.int64)  # of each trigram's entries
        self._tail = tuple(array("i") for _ in range(3))
        self._held = array("i")  # texts with each trigram
        self._weights: tuple[np.ndarray, np.ndarray] | None = None

    def __len__(self) -> int:
        """Texts."""
        return len(self._rows)

    def add(self, code: int, text: str) -> None:
        """Enter a text under a number that is not taken."""
        row = self._rows[code] = len(self._codes)
        self._codes.append(code)
        for gram, times in grams(text).items():
            which = self._ids.setdefault(gram, len(self._ids))
            if which == len(self._held):
                self._held.append(0)
            self._held[which] += 1
            for column, value in zip(self._tail, (which, row, times), strict=True):
                column.append(value)
        self._weights = None

    def forget(self, code: int, text: str) -> None:
        """Take out what :meth:`add` entered."""
        del self._rows[code]
        for gram in grams(text):
            self._held[self._ids[gram]] -= 1
        self._weights = None

    def nearest(self, text: str, count: int) -> list[tuple[float, int]]:
        """The ``count`` texts of highest cosine, as (cosine, number), best first; only texts that
        share a trigram."""
        self._settle()
        if not self._rows:
            return []
        weights, norms = self._weighted()
        rows, products, own = self._products(grams(text), weights)
        scores = np.bincount(rows, products, minlength=len(norms))
        # no norm where a text was taken out
        cosines = np.divide(scores, norms * own**0.5, out=np.zeros_like(norms), where=norms > 0)
        best = np.argpartition(-cosines, min(count, len(cosines) - 1))[:count]
        found = [(float(cosines[row]), self._codes[row]) for row in best if cosines[row] > 0]
        return sorted(found, reverse=True)

    def _products(
        self, asked: Counter[str], weights: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Rows and products of the entries that share a trigram with a question, and the squared
        length of the question."""
        own, wanted = 0.0, np.zeros(len(self._held))
        rows, products = [np.zeros(0, np.int32)], [np.zeros(0)]
        _, row, times = self._entries
        for gram, count in asked.items():
            which = self._ids.get(gram)
            weight = np.log1p(len(self._rows)) ** 2 if which is None else weights[which]
            own += float(weight) * count * count
            if which is not None:
                wanted[which] = weight * count
            if which is not None and which < len(self._starts) - 1:
                part = slice(self._starts[which], self._starts[which + 1])
                rows.append(row[part])
                products.append(wanted[which] * times[part])
        which_, row_, times_ = (np.frombuffer(column, np.int32) for column in self._tail)
        rows.append(row_)
        products.append(wanted[which_] * times_)
        return np.concatenate(rows), np.concatenate(products), own

    def _weighted(self) -> tuple[np.ndarray, np.ndarray]:
        """Squared weight of each trigram, and the length of each row's bag, 0 where dead."""
        if self._weights is None:
            held = np.maximum(np.array(self._held), 1)
            weights = np.log1p(len(self._rows) / held) ** 2
            squares = np.zeros(len(self._codes))
            tail = tuple(np.frombuffer(column, np.int32) for column in self._tail)
            for which, row, times in (self._entries, tail):
                own = weights[which] * times.astype(np.float64) ** 2
                squares += np.bincount(row, own, minlength=len(squares))
            live = np.zeros(len(squares), bool)
            live[list(self._rows.values())] = True
            self._weights = weights, np.sqrt(np.where(live, squares, 0.0))
        return self._weights

    def _settle(self) -> None:
        """Sort the tail in, and drop what was taken out, when there is much of either."""
        waiting, dead = len(self._tail[0]), len(self._codes) - len(self._rows)
        if waiting <= TAIL + len(self._entries[0]) // 2 and dead <= TAIL + len(self._rows):
            return
        which, row, times = (
            np.concatenate((old, np.frombuffer(new, np.int32)))
            for old, new in zip(self._entries, self._tail, strict=True)
        )
        live = np.zeros(len(self._codes), bool)
        live[list(self._rows.values())] = True
        moved = np.cumsum(live) - 1
        keep = live[row]
        which, row, times = which[keep], moved[row[keep]].astype(np.int32), times[keep]
        order = np.argsort(which, kind="stable")
        self._entries = which[order], row[order], times[order]
        self._starts = np.searchsorted(self._entries[0], np.arange(len(self._held) + 1))
        self._codes = array("Q", np.array(self._codes, np.uint64)[live].tolist())
        self._rows = {code: place for place, code in enumerate(self._codes)}
        self._tail = tuple(array("i") for _ in range(3))
        self._weights = None


def grams(text: str) -> Counter[str]:
    """Character trigrams of a text without case, with marks for its two ends."""
    marked = f"\x02{text.casefold()}\x03"
    return Counter(marked[i : i + GRAM] for i in range(max(1, len(marked) - GRAM + 1)))
