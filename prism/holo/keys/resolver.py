"""Resolver: finds the stored key that a misspelt one may have meant.

What counts as misspelt is :func:`prism.holo.keys.typos.is_slip`: capitals left out, and at most one
wrong key press in one long word; nothing else, so that another thing stays another thing. All texts
that could have been meant are made from the question and looked up (as Norvig's corrector does), so
a question costs the same with ten keys as with a million, and there is no index but the keys.

    tokens of the question -> tokens that are one key press away, if stored keys have them
                           -> texts with one of them put in, if stored -> checked by is_slip

A question is left alone if two stored keys could have been meant, and if the word that would be
corrected is a word of stored keys itself. With an ``encoder`` a text without such a key is compared
by meaning.

Matching never happens inside the accumulator: similar keys would share a code there, and correlated
codes destroy its capacity.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from prism.holo.keys.index import Index
from prism.holo.keys.texts import KeyTexts
from prism.holo.keys.typos import fold, is_slip, meanings, pieces

Encoder = Callable[[list[str]], Any]


class Resolver:
    """The texts of the keys, and which of them a question may have meant.

    Args:
        margin: lead in cosine that the best key by meaning needs over the second.
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
        self._index: Index | None = None  # made at the first question
        self._vectors: np.ndarray | None = None  # of all texts, once they are asked for

    def __len__(self) -> int:
        return len(self.known)

    @property
    def nbytes(self) -> int:
        """Bytes of the key texts in UTF-8."""
        return self.known.nbytes

    def add(self, keys: Sequence[Any], hashes: np.ndarray) -> None:
        """Add those of N keys that are text; ``hashes`` uint64 [N]."""
        absent = np.flatnonzero(self.known.absent(hashes))
        places = np.sort(absent[np.unique(hashes[absent], return_index=True)[1]])
        if set(map(type, keys)) != {str}:
            text = (isinstance(keys[place], str) for place in places.tolist())
            places = places[np.fromiter(text, bool, len(places))]
        codes, texts = hashes[places], [keys[place] for place in places.tolist()]
        self.known.extend(codes, texts)
        if self._index is not None:
            self._index.add(list(zip(codes.tolist(), texts, strict=True)))
        self._vectors = None

    def forget(self, hashes: np.ndarray) -> None:
        """Forget keys by their hashes uint64 [N]."""
        for code in hashes.tolist():
            self.known.pop(code)
        self._index = self._vectors = None

    def texts(self) -> list[str]:
        """All keys, in the order they were added."""
        return self.known.values()

    def text(self, code: int | np.uint64) -> str | None:
        """The key of a hash, if it was text."""
        return self.known.get(int(code))

    def resolve(self, text: str) -> str | None:
        """The stored key that ``text`` may have meant; None if there is none, or two."""
        near = self._near(text)
        if len(near) == 1:
            return near.pop()
        return self._by_meaning(text) if self.encoder is not None and not near else None

    def _near(self, text: str) -> set[str]:
        """The stored keys of which ``text`` is a slip."""
        if self._index is None:
            self._index = Index(self.known)
        index, small = self._index, fold(text)
        near = {key for key in index.keys(small) if is_slip(text, key)}
        parts = pieces(small)
        for place in range(0, len(parts), 2):
            token = parts[place]
            if index.words([token]):
                continue
            for other in index.words(meanings(token)):
                whole = "".join((*parts[:place], other, *parts[place + 1 :]))
                near |= {key for key in index.keys(whole) if is_slip(text, key)}
        return near

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


def _unit(vectors: Any) -> np.ndarray:
    rows = np.asarray(vectors, np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)
