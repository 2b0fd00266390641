"""Index of keys by their text without case, and of the words in them, as sorted arrays of hashes.

A million keys are indexed in a second and 24 bytes each; a dictionary and a set of the texts take
twice the time and ten times the bytes. The hashes are Python's of the texts, so two texts may share
one (in 1 of 2^64 cases): a key is compared with its text before it is found, and a word is only a
hint of where to look.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from prism.holo.keys.texts import KeyTexts
from prism.holo.keys.typos import fold

TAIL = 4096  # texts that may be added before the arrays are made anew


class Index:
    """The keys of a tape as they are now, and as they are added later.

    Args:
        texts: the keys.
    """

    def __init__(self, texts: KeyTexts) -> None:
        self._texts = texts
        self._make()

    def _make(self) -> None:
        whole, words = [], []
        for part in self._texts.parts():
            small = _folded(part)
            whole.append(_hashes(small, len(part)))
            found = set(" ".join(small).split())
            words.append(_hashes(found, len(found)))
        hashes = np.concatenate([np.zeros(0, np.int64), *whole])
        order = np.argsort(hashes, kind="stable")
        self._hashes, self._codes = hashes[order], self._texts.codes()[order]
        self._words = np.sort(np.concatenate([np.zeros(0, np.int64), *words]))
        self._fresh: dict[str, list[int]] = {}
        self._fresh_words: set[str] = set()

    def add(self, keys: list[tuple[int, str]]) -> None:
        """Add keys, which the texts have already, with their hashes."""
        if len(self._fresh) + len(keys) > TAIL:
            self._make()
            return
        for code, text in keys:
            small = fold(text)
            self._fresh.setdefault(small, []).append(code)
            self._fresh_words.update(small.split())

    def keys(self, small: str) -> list[str]:
        """The keys whose text without case this is, in the order they were added."""
        low, high = (np.searchsorted(self._hashes, hash(small), side) for side in ("left", "right"))
        codes = [*self._codes[low:high].tolist(), *self._fresh.get(small, ())]
        texts = (self._texts.get(code) for code in codes)
        return [text for text in texts if text is not None and fold(text) == small]

    def words(self, asked: Iterable[str]) -> set[str]:
        """Those of the words, given without case, that stand in keys."""
        asked = set(asked)
        found = asked & self._fresh_words
        if len(self._words):
            listed = list(asked)
            hashes = _hashes(listed, len(listed))
            at = np.minimum(np.searchsorted(self._words, hashes), len(self._words) - 1)
            there = self._words[at] == hashes
            found |= {
                word for word, is_there in zip(listed, there.tolist(), strict=True) if is_there
            }
        return found


def _folded(texts: list[str]) -> list[str]:
    """:func:`fold` of many."""
    whole = "\n".join(texts)
    small = whole.lower()
    if len(small) == len(whole) and whole.count("\n") == len(texts) - 1:
        return small.split("\n")
    return list(map(fold, texts))


def _hashes(texts: Iterable[str], count: int) -> np.ndarray:
    return np.fromiter(map(hash, texts), np.int64, count)
