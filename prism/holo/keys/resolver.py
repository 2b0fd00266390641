"""Resolver: replaces a misspelt key by a stored one before the tape is asked.

Candidates share character trigrams with the question and are ranked by the overlap of these
(:mod:`prism.holo.keys.trigrams`); the best few are then compared by edit distance d:

    similarity = max(overlap, 1 - d / length)

A candidate is near if the two have the same words up to one slip (an edit) in a word, and one slip
in ten characters; it is taken if no other is within ``margin``. More would take Australia for
Austria and "former capital of" for "capital of". Texts whose digits differ are never taken for each
other: order 1041 is not a misspelt order 1042. With an ``encoder`` a text that has no near key is
compared by meaning. The false-accept rate of the accumulator
is about the key that is read, not about the one that was asked for.

Matching never happens inside the accumulator: similar keys would share a code there, and correlated
codes destroy its capacity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from prism.holo.keys.texts import KeyTexts
from prism.holo.keys.trigrams import Trigrams
from prism.holo.keys.typos import edit_distance, is_slip

SHORTLIST = 8
Encoder = Callable[[list[str]], Any]


class Resolver:
    """An index over text keys.

    Args:
        margin: lead in similarity that the best key needs over the second.
        encoder: texts to vectors [N, E], a sentence embedding; may be set later.
        meaning: cosine of embeddings from which a key means the same.
        texts: keys that are known already.
    """

    def __init__(
        self,
        margin: float = 0.03,
        encoder: Encoder | None = None,
        meaning: float = 0.8,
        texts: KeyTexts | None = None,
    ) -> None:
        self.margin = margin
        self.encoder, self.meaning = encoder, meaning
        self.known = KeyTexts() if texts is None else texts  # by key hash
        self._near = Trigrams(self.known)
        self._vectors: np.ndarray | None = None  # of all texts, once they are asked for

    def __len__(self) -> int:
        return len(self.known)

    @property
    def nbytes(self) -> int:
        """Bytes of the key texts in UTF-8."""
        return self.known.nbytes

    def add(self, keys: Iterable[Any], hashes: np.ndarray) -> None:
        """Add those of N keys that are text; ``hashes`` uint64 [N]."""
        for key, code in zip(keys, hashes.tolist(), strict=True):
            if isinstance(key, str) and code not in self.known:
                self.known[code] = key
        self._vectors = None

    def forget(self, hashes: np.ndarray) -> None:
        """Forget keys by their hashes uint64 [N]."""
        for code in hashes.tolist():
            self.known.pop(code)
        self._vectors = None

    def texts(self) -> list[str]:
        """All keys, in the order they were added."""
        return self.known.values()

    def text(self, code: int | np.uint64) -> str | None:
        """The key of a hash, if it was text."""
        return self.known.get(int(code))

    def resolve(self, text: str) -> str | None:
        """The stored key that ``text`` must have meant; None if none is near, or two are."""
        digits = _digits(text)
        near = []
        for overlap, code in self._near.nearest(text, SHORTLIST):
            key = self.known[code]
            if _digits(key) == digits:
                near.append((*self._compare(text, key, overlap), key))
        near.sort(reverse=True)
        if near and near[0][1] and (len(near) < 2 or near[0][0] - near[1][0] >= self.margin):
            return near[0][2]
        if self.encoder is not None and not any(is_near for _, is_near, _ in near):
            return self._by_meaning(text)
        return None

    def _compare(self, text: str, key: str, overlap: float) -> tuple[float, bool]:
        """Similarity, and whether that is near."""
        length = max(len(text), len(key))
        text, key = text.casefold(), key.casefold()
        edits = edit_distance(text, key)
        return max(overlap, 1 - edits / length), is_slip(text, key, edits)

    def _by_meaning(self, text: str) -> str | None:
        if not self.known:
            return None
        if self._vectors is None:
            self._vectors = _unit(self.encoder(self.texts()))
        cosines = self._vectors @ _unit(self.encoder([text]))[0]
        order = np.argsort(-cosines)[:2]
        lead = cosines[order[0]] - (cosines[order[1]] if len(order) > 1 else 0.0)
        if cosines[order[0]] < self.meaning or lead < self.margin:
            return None
        return self.texts()[order[0]]


def _digits(text: str) -> str:
    return "".join(c for c in text if c.isdigit())


def _unit(vectors: Any) -> np.ndarray:
    rows = np.asarray(vectors, np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)
