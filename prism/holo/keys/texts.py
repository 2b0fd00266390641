"""Texts of keys by their hashes, in three arrays.

    blob  uint8 [L]    all texts in UTF-8, a line feed after each
    ends  int64 [n]    where each ends in it
    codes uint64 [n]   their hashes

so that a million texts are read from a file as they lie there. New texts wait in a dict.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

WAITING = 1 << 16  # texts that may always wait in the dict, which takes several times the bytes
SHARE = 16  # one in so many of all may wait too, so that the arrays are not copied too often
NOTHING = np.zeros(0, np.uint8), np.zeros(0, np.int64), np.zeros(0, np.uint64)


class KeyTexts:
    """A mapping from hash to text, in the order of entry.

    Attributes:
        revision: grows at every change.
    """

    def __init__(
        self,
        blob: np.ndarray = NOTHING[0],
        ends: np.ndarray = NOTHING[1],
        codes: np.ndarray = NOTHING[2],
    ) -> None:
        rising = len(ends) == 0 or (ends[0] >= 0 and (np.diff(ends) > 0).all())
        last = int(ends[-1]) + 1 if len(ends) else 0
        if len(ends) != len(codes) or not rising or last != len(blob):
            raise ValueError("the texts of the keys are not as many as their hashes, or not whole")
        self._blob, self._ends, self._codes = blob, ends, codes
        self._order: np.ndarray | None = None  # of the hashes, once one is looked up
        self._gone: set[int] = set()  # places
        self._fresh: dict[int, str] = {}
        self.revision = 0

    def __len__(self) -> int:
        return len(self._codes) - len(self._gone) + len(self._fresh)

    def __contains__(self, code: int) -> bool:
        return code in self._fresh or self._place(code) >= 0

    def __getitem__(self, code: int) -> str:
        """The text of a hash; raises KeyError where there is none."""
        text = self.get(code)
        if text is None:
            raise KeyError(code)
        return text

    def get(self, code: int) -> str | None:
        """The text of a hash, or None."""
        if code in self._fresh:
            return self._fresh[code]
        place = self._place(code)
        return None if place < 0 else self._text(place)

    def __setitem__(self, code: int, text: str) -> None:
        """Enter the text of a hash that has none yet."""
        self._fresh[code] = text
        self.revision += 1
        if len(self._fresh) > max(WAITING, len(self._codes) // SHARE):
            self.arrays()

    def extend(self, codes: np.ndarray, texts: list[str]) -> None:
        """Enter the texts of distinct hashes uint64 [N] that have none yet."""
        for low in range(0, len(texts), WAITING):
            part, names = codes[low : low + WAITING], texts[low : low + WAITING]
            if len(names) < max(WAITING // 2, len(self._codes) // SHARE):
                for code, text in zip(part.tolist(), names, strict=True):
                    self[code] = text
            else:
                self.arrays()
                self._append(part, names)
                self.revision += 1

    def absent(self, codes: np.ndarray) -> np.ndarray:
        """Those of the hashes uint64 [N] that have no text, bool [N]."""
        there = np.zeros(len(codes), bool)
        if len(self._codes):
            order = self._sorted()
            at = np.searchsorted(self._codes, codes, sorter=order)
            place = order[np.minimum(at, len(order) - 1)]
            there = self._codes[place] == codes
            if self._gone:
                there &= ~np.isin(place, list(self._gone))
        if self._fresh:
            fresh = (code in self._fresh for code in codes.tolist())
            there |= np.fromiter(fresh, bool, len(codes))
        return ~there

    def pop(self, code: int) -> str | None:
        """Take a text out, and give it back; None where there is none."""
        text = self._fresh.pop(code, None)
        if text is None and (place := self._place(code)) >= 0:
            text = self._text(place)
            self._gone.add(place)
        self.revision += text is not None
        return text

    def codes(self) -> np.ndarray:
        """The hashes uint64 [n], in the order of entry."""
        return np.concatenate((self._kept(self._codes), np.array(list(self._fresh), np.uint64)))

    def values(self) -> list[str]:
        """All texts."""
        if len(self._ends) and not self._gone:
            whole = bytes(self._blob).decode("utf-8", "surrogatepass").split("\n")
            if len(whole) == len(self._ends) + 1:  # no text of more than one line
                return [*whole[:-1], *self._fresh.values()]
        return [text for part in self.parts() for text in part]

    def parts(self, count: int = 1 << 16, kept: bool = False) -> Iterator[list[str]]:
        """All texts, or without those that are ``kept`` in the arrays, ``count`` at a time."""
        for low in range(0, 0 if kept else len(self._codes), count):
            high = min(low + count, len(self._codes))
            yield self._block(low, high)
        fresh = list(self._fresh.values())
        for low in range(0, len(fresh), count):
            yield fresh[low : low + count]

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """``blob``, ``ends`` and ``codes`` of all texts, to be saved."""
        if self._gone:
            codes, parts = self.codes(), list(self.parts())
            self._blob, self._ends, self._codes = NOTHING
            self._order, self._gone, self._fresh = None, set(), {}
            self._append(codes, [text for part in parts for text in part])
        elif self._fresh:
            codes, texts = np.array(list(self._fresh), np.uint64), list(self._fresh.values())
            self._append(codes, texts)
            self._fresh = {}
        return self._blob, self._ends, self._codes

    def _append(self, codes: np.ndarray, texts: list[str]) -> None:
        """Put texts at the end of the arrays, one after the other, so that one of them at a time
        is there twice."""
        blob, sizes = _encoded(texts)
        if self._order is not None:
            own = np.argsort(codes)
            at = np.searchsorted(self._codes, codes[own], sorter=self._order)
            self._order = np.insert(self._order, at, own + len(self._codes))
        self._codes = np.concatenate((self._codes, codes))
        self._ends = np.concatenate((self._ends, len(self._blob) - 1 + np.cumsum(sizes)))
        self._blob = np.concatenate((self._blob, blob))

    @property
    def nbytes(self) -> int:
        """Bytes of the texts in UTF-8."""
        own = len(self._blob) - len(self._codes)
        gone = sum(len(self._text(i).encode("utf-8", "surrogatepass")) for i in self._gone)
        fresh = sum(len(t.encode("utf-8", "surrogatepass")) for t in self._fresh.values())
        return own - gone + fresh

    def _text(self, place: int) -> str:
        start = int(self._ends[place - 1]) + 1 if place else 0
        return bytes(self._blob[start : self._ends[place]]).decode("utf-8", "surrogatepass")

    def _block(self, low: int, high: int) -> list[str]:
        """The texts at the places low..high of the arrays, without those taken out."""
        start = int(self._ends[low - 1]) + 1 if low else 0
        raw = bytes(self._blob[start : self._ends[high - 1]])
        if raw.count(b"\n") == high - low - 1 and not any(low <= i < high for i in self._gone):
            return raw.decode("utf-8", "surrogatepass").split("\n")  # the same, at once
        return [self._text(i) for i in range(low, high) if i not in self._gone]

    def _kept(self, column: np.ndarray) -> np.ndarray:
        return np.delete(column, list(self._gone)) if self._gone else column

    def _sorted(self) -> np.ndarray:
        """The places by ascending hash."""
        if self._order is None:
            self._order = np.argsort(self._codes, kind="stable")
        return self._order

    def _place(self, code: int) -> int:
        """The place of a hash in the arrays, -1 if it is not there."""
        if not len(self._codes):
            return -1
        order = self._sorted()
        at = int(np.searchsorted(self._codes, np.uint64(code), sorter=order))
        if at == len(order) or int(self._codes[order[at]]) != code:
            return -1
        place = int(order[at])
        return -1 if place in self._gone else place


def _encoded(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Texts as a part of the blob, and the bytes int64 [n] of each with its line feed."""
    whole = "\n".join([*texts, ""])
    if whole.isascii():
        sizes = np.fromiter(map(len, texts), np.int64, len(texts)) + 1
        return np.frombuffer(whole.encode(), np.uint8), sizes
    raw = [text.encode("utf-8", "surrogatepass") for text in texts]
    sizes = np.fromiter(map(len, raw), np.int64, len(raw)) + 1
    return np.frombuffer(b"\n".join([*raw, b""]), np.uint8), sizes
