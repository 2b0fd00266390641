"""The resolver: a misspelt key becomes a stored one before the tape is asked.

Candidates share character trigrams with the question and are ranked by the cosine of their bags,
weighted by rarity; the best few are then compared by edit distance d:

    w_g = ln(1 + n / n_g),      cos(a, b) = sum_g w_g^2 a_g b_g / (|a| |b|)
    similarity = max(cos, 1 - d / length)

A candidate is near if the two have the same words up to one slip (an edit) in a word, and one slip
in ten characters; it is taken if no other is within ``margin``. More would take Australia for
Austria and "former capital of" for "capital of". Texts whose digits differ are never taken for each
other: order 1041 is not a misspelt order 1042. With an ``encoder`` a text that has no near key is
compared by meaning. A guess stays a guess: the false-accept rate of the register is about the key
that is read, not about the one that was asked for.

Matching never happens inside the register: similar keys would share a code there, and correlated
codes destroy its capacity.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

GRAM = 3
SHORTLIST = 8
EDIT_LENGTH = 10  # characters per edit that is still taken for a misspelling
Encoder = Callable[[list[str]], Any]


class Match(NamedTuple):
    """A stored key, and how similar it is, in [0, 1]."""

    key: str
    similarity: float


class Resolver:
    """An index over text keys.

    Args:
        margin: lead in similarity that the best key needs over the second.
        encoder: texts to vectors [N, E], a sentence embedding; may be set later.
        meaning: cosine of embeddings from which a key means the same.
    """

    def __init__(
        self,
        margin: float = 0.03,
        encoder: Encoder | None = None,
        meaning: float = 0.8,
    ) -> None:
        self.margin = margin
        self.encoder, self.meaning = encoder, meaning
        self._texts: dict[int, str] = {}  # by key hash
        self._postings: defaultdict[str, dict[int, int]] = defaultdict(dict)
        self._clear()

    def __len__(self) -> int:
        return len(self._texts)

    @property
    def nbytes(self) -> int:
        """Bytes of the key texts in UTF-8, which is what a file stores."""
        return sum(len(text.encode("utf-8", "surrogatepass")) for text in self._texts.values())

    def add(self, keys: Iterable[Any], hashes: np.ndarray) -> None:
        """Learn those of N keys that are text; ``hashes`` uint64 [N]."""
        for key, code in zip(keys, hashes.tolist(), strict=True):
            if isinstance(key, str) and code not in self._texts:
                self._texts[code] = key
                for gram, count in grams(key).items():
                    self._postings[gram][code] = count
        self._clear()

    def remove(self, hashes: np.ndarray) -> None:
        """Forget keys by their hashes uint64 [N]."""
        for code in hashes.tolist():
            key = self._texts.pop(code, None)
            for gram in grams(key) if key is not None else ():
                del self._postings[gram][code]
        self._clear()

    def texts(self) -> list[str]:
        """All keys, in the order they were learnt."""
        return list(self._texts.values())

    def text(self, code: int | np.uint64) -> str | None:
        """The key of a hash, if it was text."""
        return self._texts.get(int(code))

    def resolve(self, text: str) -> Match | None:
        """The stored key that ``text`` must have meant; None if none is near, or two are."""
        digits = _digits(text)
        found = []
        for cosine, code in self._shortlist(text):
            key = self._texts[code]
            if _digits(key) == digits:
                found.append((*self._compare(text, key, cosine), key))
        found.sort(reverse=True)
        if found and found[0][1] and (len(found) < 2 or found[0][0] - found[1][0] >= self.margin):
            return Match(found[0][2], found[0][0])
        if self.encoder is not None and not any(near for _, near, _ in found):
            return self._by_meaning(text)
        return None

    def _compare(self, text: str, key: str, cosine: float) -> tuple[float, bool]:
        """Similarity, and whether that is near."""
        length = max(len(text), len(key))
        text, key = text.casefold(), key.casefold()
        edits = edit_distance(text, key)
        return max(cosine, 1 - edits / length), is_slip(text, key, edits)

    def _shortlist(self, text: str) -> list[tuple[float, int]]:
        """The keys of highest cosine: (cosine, key hash), best first."""
        scores: defaultdict[int, float] = defaultdict(float)
        own = 0.0
        for gram, asked in grams(text).items():
            weight = self._weight(gram)
            own += weight * asked * asked
            for code, count in self._postings.get(gram, {}).items():
                scores[code] += weight * asked * count
        found = [(s / (own**0.5 * self._norm(code)), code) for code, s in scores.items()]
        return sorted(found, reverse=True)[:SHORTLIST]

    def _weight(self, gram: str) -> float:
        held = len(self._postings.get(gram, ())) or 1
        return float(np.log1p(len(self._texts) / held)) ** 2

    def _norm(self, code: int) -> float:
        if code not in self._norms:
            counts = grams(self._texts[code]).items()
            self._norms[code] = sum(self._weight(g) * c * c for g, c in counts) ** 0.5
        return self._norms[code]

    def _by_meaning(self, text: str) -> Match | None:
        if not self._texts:
            return None
        if self._vectors is None:
            self._vectors = _unit(self.encoder(self.texts()))
        cosines = self._vectors @ _unit(self.encoder([text]))[0]
        order = np.argsort(-cosines)[:2]
        lead = cosines[order[0]] - (cosines[order[1]] if len(order) > 1 else 0.0)
        if cosines[order[0]] < self.meaning or lead < self.margin:
            return None
        return Match(self.texts()[order[0]], float(cosines[order[0]]))

    def _clear(self) -> None:
        """Drop what depends on the whole set of keys."""
        self._norms: dict[int, float] = {}
        self._vectors: np.ndarray | None = None


def grams(text: str) -> Counter[str]:
    """Character trigrams of a text without case, with marks for its two ends."""
    marked = f"\x02{text.casefold()}\x03"
    return Counter(marked[i : i + GRAM] for i in range(max(1, len(marked) - GRAM + 1)))


def is_slip(a: str, b: str, edits: int) -> bool:
    """Whether ``a`` can be a misspelt ``b``, ``edits`` away: one edit, or at most one per word and
    per ``EDIT_LENGTH`` characters."""
    if edits <= 1:
        return True
    words, others = a.split(), b.split()
    if len(words) != len(others) or edits > max(len(a), len(b)) // EDIT_LENGTH:
        return False
    return all(edit_distance(x, y) <= 1 for x, y in zip(words, others, strict=True))


def edit_distance(a: str, b: str) -> int:
    """Insertions, deletions, substitutions and swaps of neighbours that turn ``a`` into ``b``
    (Damerau 1964, restricted)."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        new = [i]
        for j, y in enumerate(b, 1):
            cost = min(row[j] + 1, new[j - 1] + 1, row[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            new.append(cost)
        before, row = row, new
    return row[-1]


def _digits(text: str) -> str:
    return "".join(c for c in text if c.isdigit())


def _unit(vectors: Any) -> np.ndarray:
    found = np.asarray(vectors, np.float32)
    return found / np.maximum(np.linalg.norm(found, axis=-1, keepdims=True), 1e-12)
