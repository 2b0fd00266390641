"""Nearest texts by character trigrams: one scan over an array of all their characters.

    w_g = ln(1 + n / n_g),        |a| = sum of w_g^2 over the trigrams of text a, one per character
    overlap(a, b) = sum of w_g^2 over those trigrams of b that a has too  /  max(|a|, |b|)

over n texts that hold trigram g at n_g places. The characters of all texts lie in one array with
separators between them, and a trigram is a number made of three neighbours, so a question marks its
own trigrams in a table and looks all places up in it. Nothing is sorted and no list of places is
kept: a million texts are ready in a second, at a byte a character. The arrays are made when they
are first needed, and again after a change.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from prism.holo.keys.texts import KeyTexts

BLOCK = 1 << 20  # places looked at at once
EXACT = 161  # different characters up to which a trigram has a number of its own
BUCKETS = EXACT**3
MIX = np.array([0x9E3779B1, 0x85EBCA6B, 0xC2B2AE35], np.uint64)
GAP = "\n"  # between texts; no key has one


class Trigrams:
    """Index of texts.

    Args:
        texts: with their numbers; may change later.
    """

    def __init__(self, texts: KeyTexts) -> None:
        self._texts = texts
        self._made: int | None = None  # the revision that the arrays were made from

    def __len__(self) -> int:
        """Texts."""
        return len(self._texts)

    def nearest(self, text: str, count: int) -> list[tuple[float, int]]:
        """The ``count`` texts of greatest overlap with ``text``, as (overlap, number), best first;
        only texts that share a trigram."""
        if not len(self._texts):
            return []
        if self._made != self._texts.revision:
            self._make()
        wanted, own = np.zeros(len(self._weights), np.float32), 0.0
        for place, known in self._grams_of(text):
            weight = self._weights[place] if known else np.log1p(len(self)) ** 2
            wanted[place] = weight if known else 0.0
            own += float(weight)
        shared = self._sums(wanted)
        overlap = shared / np.maximum(self._masses, own)
        best = np.argpartition(-overlap, min(count, len(overlap) - 1))[:count]
        found = [(float(overlap[i]), int(self._codes[i])) for i in best if overlap[i] > 0]
        return sorted(found, reverse=True)

    def _make(self) -> None:
        """Make the characters of all texts, the weights of the trigrams, and the texts' masses."""
        parts = [_characters(part) for part in self._texts.parts() if part]
        highest = max(int(part.max()) for part in parts)
        seen = np.zeros(highest + 1, bool)
        for part in parts:
            seen[part] = True
        self._alphabet = np.flatnonzero(seen)  # characters by number
        self._size = len(self._alphabet)
        number = np.cumsum(seen) - 1
        narrow = np.min_scalar_type(self._size)
        gap = np.array([number[ord(GAP)]], narrow)
        self._chars = np.concatenate([gap, *(number[part].astype(narrow) for part in parts)])
        self._starts = np.flatnonzero(self._chars[:-1] == gap) + 1
        self._codes = self._texts.codes()
        held = np.zeros(min(self._size, EXACT) ** 3, np.int64)
        for low, high, first, last in self._blocks():
            grams = self._grams(low, high)
            inside = np.ones(high - low, bool)
            inside[self._gaps(low, first, last)] = False
            held += np.bincount(grams[inside], minlength=len(held))
        self._weights = (np.log1p(len(self) / np.maximum(held, 1)) ** 2).astype(np.float32)
        self._masses = np.maximum(self._sums(self._weights), 1e-12)
        self._made = self._texts.revision

    def _sums(self, table: np.ndarray) -> np.ndarray:
        """Sum float32 [n] of ``table`` over the trigrams of each text."""
        sums = np.empty(len(self._starts), np.float32)
        for low, high, first, last in self._blocks():
            found = table[self._grams(low, high)]
            found[self._gaps(low, first, last)] = 0
            sums[first:last] = np.add.reduceat(found, self._starts[first:last] - low)
        return sums

    def _blocks(self) -> Iterator[tuple[int, int, int, int]]:
        """Places low..high of whole texts, each with the gap after it, and the texts first..last
        that they are; about ``BLOCK`` places each."""
        first, total = 0, len(self._starts)
        while first < total:
            low = int(self._starts[first])
            last = max(first + 1, int(np.searchsorted(self._starts, low + BLOCK)))
            high = int(self._starts[last]) if last < total else len(self._chars)
            yield low, high, first, last
            first = last

    def _gaps(self, low: int, first: int, last: int) -> np.ndarray:
        """Where, from ``low`` on, the gaps after the texts first..last lie."""
        ends = self._starts[first + 1 : last + 1] - 1
        return np.append(ends, len(self._chars) - 1)[: last - first] - low

    def _grams(self, low: int, high: int) -> np.ndarray:
        """Numbers int [high - low] of the trigrams around the places low..high."""
        around = self._chars[low - 1 : high + 1]
        if high == len(self._chars):  # nothing lies after the last gap, and nobody asks
            around = np.append(around, around[-1:])
        return _number(around[:-2], around[1:-1], around[2:], self._size)

    def _grams_of(self, text: str) -> Iterator[tuple[int, bool]]:
        """Number of each trigram of a question, and whether a text may have it."""
        chars = np.concatenate(([ord(GAP)], _characters([text])))
        place = np.minimum(np.searchsorted(self._alphabet, chars), self._size - 1)
        known = self._alphabet[place] == chars
        grams = _number(place[:-2], place[1:-1], place[2:], self._size)
        every = known[:-2] & known[1:-1] & known[2:]
        yield from zip(grams.tolist(), every.tolist(), strict=True)


def _characters(texts: list[str]) -> np.ndarray:
    """Characters uint32 of texts without case, a gap after each."""
    whole = GAP.join(texts).casefold() + GAP
    if whole.count(GAP) != len(texts):  # an old key, from before white space was normalised
        whole = "".join(text.casefold().replace(GAP, " ") + GAP for text in texts)
    return np.frombuffer(whole.encode("utf-32-le", "surrogatepass"), np.uint32)


def _number(a: np.ndarray, b: np.ndarray, c: np.ndarray, size: int) -> np.ndarray:
    """The number of trigrams a b c; several share one where there are many characters."""
    if size <= EXACT:
        return (a.astype(np.int32) * size + b) * size + c
    mixed = a.astype(np.uint64) * MIX[0] ^ b.astype(np.uint64) * MIX[1]
    mixed ^= c.astype(np.uint64) * MIX[2]
    return ((mixed ^ (mixed >> np.uint64(29))) % np.uint64(BUCKETS)).astype(np.int32)
