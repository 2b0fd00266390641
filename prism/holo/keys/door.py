"""Hashes under which a tape lists its keys.

A key is hashed by its one spelling (:mod:`prism.holo.keys.normal`). Where that is not listed and
another spelling of the same key is, its hash is the other's: 7 and "7" are one key, whichever was
bound first, and keys that were bound before spellings were made one are still found.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from prism.holo.algebra.codes import Key, hash_keys, integers_of
from prism.holo.keys.normal import KeyHash, integer_of, listed, normal_keys, spellings

Find = Callable[[np.ndarray], np.ndarray]  # hashes uint64 [N] -> rows int64 [N], -1 = not listed


class Door:
    """From keys to hashes.

    Args:
        seed: of the hashes.

    Attributes:
        texts: whether a key that is text may be listed, so that an integer may be one of them.
        older: hash of a key's one spelling -> hash that it is listed under, for keys of older
            tapes that were bound in another.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.texts = False
        self.older: dict[int, int] = {}

    def hash(self, keys: Any, find: Find | None = None) -> np.ndarray:
        """Hashes uint64 [N] of keys as :func:`listed` takes them.

        Args:
            find: finds the rows of hashes in the ledger; None = there is none, so a key has only
                its one spelling.
        """
        given = listed(keys)
        names = normal_keys(given)
        hashes = self._plain(names)
        if find is None or not len(hashes):
            return hashes
        if not isinstance(names, np.ndarray):
            _join_integers(names, hashes)
        for i in self._candidates(given, names, hashes, find):
            older = self.older.get(int(hashes[i]))
            other = self._plain(spellings(given[i], _key(names[i])))
            if older is not None:
                other = np.append(other, np.uint64(older))
            there = np.flatnonzero(find(other) >= 0) if len(other) else ()
            if len(there):
                hashes[i] = other[there[0]]
        return hashes

    def every(self, key: Any) -> np.ndarray:
        """All hashes uint64 [n] under which a key may be or may have been listed."""
        given = listed([key])
        names = normal_keys(given)
        found = self._plain([names[0], *spellings(given[0], _key(names[0]))])
        older = [self.older[code] for code in found.tolist() if code in self.older]
        return np.unique(np.append(found, np.array(older, np.uint64)))

    def of_another(
        self, other: Door, codes: np.ndarray, texts: list[str | None], find: Find, own: np.ndarray
    ) -> np.ndarray:
        """Hashes uint64 [N] under which this tape lists, or would list, keys of another tape.

        Args:
            codes: uint64 [N], under which the other lists them.
            texts: of those keys; None where it is not kept.
            find: finds the rows of hashes in this tape's ledger.
            own: hashes uint64 [M] of the keys in it whose text is not kept.
        """
        moved, missing = codes.copy(), np.flatnonzero(find(codes) < 0).tolist()
        spelt = [i for i in missing if _is_spelt(texts[i])]
        moved[spelt] = self.hash([texts[i] for i in spelt], find)
        bare = [i for i in missing if texts[i] is None]
        if bare and self.texts:
            moved[bare] = self._digits(codes[bare])
        if bare and other.texts:
            integers = dict(zip(self._digits(own).tolist(), own.tolist(), strict=True))
            for i in bare:
                moved[i] = integers.get(int(codes[i]), moved[i])
        # what is not listed here keeps its hash, and so does one of two that would become one
        _, first = np.unique(moved, return_index=True)
        keep = np.ones(len(codes), bool)
        keep[first] = (find(moved[first]) < 0) | np.isin(moved[first], codes)
        return np.where(keep, codes, moved)

    def _digits(self, codes: np.ndarray) -> np.ndarray:
        """Hashes uint64 [N] of the digits of the integers that have the hashes ``codes``. Every
        hash is that of one integer; where it is a text's, those digits are listed nowhere."""
        return hash_keys(list(map(str, integers_of(codes, self.seed).tolist())), self.seed)

    def note(self, keys: list[Any] | np.ndarray) -> None:
        """Remember that keys have been bound."""
        if not self.texts and not isinstance(keys, np.ndarray):
            self.texts = any(isinstance(key, str) for key in keys)

    def learn_older(self, texts: list[str], find_value: Callable[[np.ndarray], Any]) -> bool:
        """Note the keys of an older tape that are listed in another than their one spelling;
        whether there are any. Of several such keys with one spelling and different values none
        answers for it.

        Args:
            find_value: ids of the values int64 [N] under hashes, -1 where not listed.
        """
        odd = [(t, name) for t in texts if (name := _quietly(t)) != t]
        if not odd:
            return False
        raw = hash_keys([t for t, _ in odd], self.seed)
        values, clash = find_value(raw), set()
        named = hash_keys([name for _, name in odd], self.seed)
        for name, code, value in zip(named.tolist(), raw.tolist(), values.tolist(), strict=True):
            before = self.older.setdefault(name, code)
            if find_value(np.array([before], np.uint64))[0] != value:
                clash.add(name)
        for name in clash:
            del self.older[name]
        return True

    def _plain(self, names: list[Key] | np.ndarray) -> np.ndarray:
        hashes = hash_keys(names, self.seed)
        if not isinstance(names, np.ndarray) and KeyHash in set(map(type, names)):
            for i, name in enumerate(names):
                if type(name) is KeyHash:
                    hashes[i] = np.uint64(int(name))
        return hashes

    def _candidates(
        self, given: Any, names: Any, hashes: np.ndarray, find: Find
    ) -> list[int] | np.ndarray:
        """Places of the keys that are not listed and have another spelling."""
        missing = np.flatnonzero(find(hashes) < 0)
        if self.older:
            return missing
        if isinstance(names, np.ndarray):
            return missing if self.texts else missing[:0]
        return [
            i
            for i in missing.tolist()
            if (type(names[i]) is int and self.texts)
            or (type(names[i]) is str and (names[i][0] in "#-0123456789" or names[i] != given[i]))
        ]


def _join_integers(names: list[Key], hashes: np.ndarray) -> None:
    """Give digits the hash of the integer where one batch has both."""
    kinds = set(map(type, names))
    if not {int, str} <= kinds:
        return
    integers = {name: hashes[i] for i, name in enumerate(names) if type(name) is int}
    for i, name in enumerate(names):
        number = integer_of(name) if type(name) is str else None
        if number is not None:
            hashes[i] = integers.get(number, hashes[i])


def _key(name: Any) -> Key:
    return int(name) if isinstance(name, np.integer) else name


def _is_spelt(text: str | None) -> bool:
    """True if a text may be a key: old files may have half characters."""
    return text is not None and not any("\ud800" <= c <= "\udfff" for c in text)


def _quietly(text: str) -> str:
    """The one spelling of a text; the text itself if it has none."""
    try:
        return normal_keys([text])[0]  # type: ignore[return-value]
    except ValueError:
        return text
