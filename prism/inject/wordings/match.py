"""Match of a clause with the bank's wordings, word by word.

With unit vectors of the words in their contexts, c_i of the clause and w_j of a wording, and the
weight g of a word (its rarity in the bank; a quarter of it for function words, none for the X):

    covered(wording) = sum_j g_j max_i <c_i, w_j> / sum_j g_j    what the wording says is said here
    covers(clause)   = sum_i g_i max_j <c_i, w_j> / sum_i g_i    and nothing else is

(late interaction, Khattab and Zaharia 2020, arXiv 2004.12832, both ways round). A relation of the
tape is looked up by its name among the relations of each kind: the nearest is the same if it is
near enough, and all others of that kind are its rivals.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor
from torch.nn import functional as F

from prism import whole_file
from prism.inject.clause import FUNCTION, content, stem, words_of
from prism.inject.second_opinion import InContext
from prism.inject.wordings.bank import STANDS, WordedRelation, statement

SAME, APART = 0.75, 0.7  # cosines of two names: from which one relation; below which two
LIGHT = 0.25  # weight of a function word, as a share of its rarity
WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
KEPT = 4096  # clauses that are remembered


class Encoder(Protocol):
    """Texts to unit vectors, whole or word by word."""

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """``[N, D]``, one vector a text."""

    def read(self, texts: Sequence[str]) -> list[InContext]:
        """The same, with the vectors of each text's pieces and their spans of characters."""


@dataclass(frozen=True)
class Evidence:
    """Measures of how far a clause asks for a relation in the bank's words.

    Attributes:
        covered: by the clause, of the best wording of the same relation.
        match: the mean of both ways for the best one.
        sentence: cosine of the clause with the nearest one as a whole.
        name: cosine with the plainest wording, "The R of X is".
        rivals: log(1 + number of the rivals that match better).
    """

    covered: float
    match: float
    sentence: float
    name: float
    rivals: float


class WordingBank:
    """The bank's wordings as vectors.

    Args:
        relations: of the bank.
        encoder: gives the vectors.
        folder: where the vectors are kept once they are made; None = nowhere.
    """

    def __init__(
        self, relations: Sequence[WordedRelation], encoder: Encoder, folder: Path | None = None
    ) -> None:
        self._encoder = encoder
        self._relations = relations
        texts = [(i, text) for i, r in enumerate(relations) for text in r.texts()]
        self._owner = np.array([i for i, _ in texts])
        self._names = [name for r in relations for name in r.names]
        self._named = np.array([i for i, r in enumerate(relations) for _ in r.names])
        _, self._kind = np.unique([r.kind for r in relations], return_inverse=True)
        words = [_words(text) for _, text in texts]
        counts = Counter(s for some in words for s in {stem(w.lower()) for w, *_ in some})
        self._rarity = {s: _rarity(n, len(texts)) for s, n in counts.items()}
        self._rarest = _rarity(0, len(texts))
        self._weights = np.array([self._weight(w) for some in words for w, *_ in some])
        self._starts = np.cumsum([0, *map(len, words[:-1])])
        self._vectors, self._whole = self._made([text for _, text in texts], folder)
        self._whole_names = self._whole_of([statement(n) for n in self._names])
        self.of_clause = lru_cache(KEPT)(self._of_clause)
        self.alike = lru_cache(KEPT)(self._alike)
        self.stems = lru_cache(KEPT)(self._stems)

    def evidence(self, clause: str, relation: str) -> Evidence | None:
        """The evidence that a clause, its subject written X, asks for a relation; None if the bank
        does not have it."""
        same, rival = self.alike(relation)
        if not same.any():
            return None
        covered, match, sentence, whole = self.of_clause(clause)
        best = float(match[same].max())
        name = float(self._whole_of([statement(relation)])[0] @ whole)
        rivals = math.log1p(int((match[rival] > best).sum()))
        return Evidence(float(covered[same].max()), best, float(sentence[same].max()), name, rivals)

    def _stems(self, relation: str) -> tuple[frozenset[str], ...]:
        """The stems of the content words of each wording and name of the same relation."""
        same = [self._relations[i] for i in np.flatnonzero(self.alike(relation)[0])]
        texts = [text for r in same for text in (*r.wordings, *r.names)]
        return tuple(frozenset(content(words_of(text))) for text in texts)

    def _of_clause(self, clause: str) -> tuple[np.ndarray, ...]:
        """The best of each relation's wordings by the three measures, ``[R]`` each, and the vector
        of the whole clause."""
        (read,) = self._encoder.read([clause])
        words, vectors = _words(clause), _word_vectors(clause, read)
        grid = vectors @ self._vectors.T
        mine = np.array([self._weight(w) for w, *_ in words]) + 1e-3
        covers = mine @ np.maximum.reduceat(grid, self._starts, axis=1) / mine.sum()
        told = np.add.reduceat(grid.max(axis=0) * self._weights, self._starts)
        covered = told / (np.add.reduceat(self._weights, self._starts) + 1e-6)
        whole = read.whole.numpy()
        three = (covered, (covered + covers) / 2, self._whole @ whole)
        return *(self._best(x) for x in three), whole

    def _best(self, values: np.ndarray) -> np.ndarray:
        best = np.full(len(self._relations), -1.0)
        np.maximum.at(best, self._owner, values)
        return best

    def _alike(self, relation: str) -> tuple[np.ndarray, np.ndarray]:
        """Masks ``[R]`` of the bank's relations that are the same one, and of its rivals."""
        cosines = self._whole_names @ self._whole_of([statement(relation)])[0]
        near = np.full(len(self._relations), -1.0)
        np.maximum.at(near, self._named, cosines)
        same, rival = np.zeros(len(near), bool), near < APART
        for kind in range(self._kind.max() + 1):
            those = np.flatnonzero(self._kind == kind)
            nearest = those[near[those].argmax()]
            if near[nearest] >= SAME:
                rival[those] = True
                same[nearest], rival[nearest] = True, False
        return same, rival

    def _weight(self, word: str) -> float:
        if word.partition("'")[0].partition("’")[0] == STANDS:
            return 0.0
        low = word.lower()
        return self._rarity.get(stem(low), self._rarest) * (LIGHT if low in FUNCTION else 1.0)

    def _whole_of(self, texts: Sequence[str]) -> np.ndarray:
        return self._encoder(texts).numpy()

    def _made(self, texts: Sequence[str], folder: Path | None) -> tuple[np.ndarray, np.ndarray]:
        """Vectors of all words of all texts, ``[W, D]``, and of the texts; read back if kept."""
        name = hashlib.blake2b("\n".join(texts).encode(), digest_size=8).hexdigest()
        path = None if folder is None else folder / f"wordings-{name}.safetensors"
        if path is not None and path.is_file():
            try:
                kept = load_file(path)
                return kept["words"].float().numpy(), kept["texts"].float().numpy()
            except (SafetensorError, KeyError) as error:
                raise ValueError(f"{path}: not the bank's vectors; delete the file") from error
        read = self._encoder.read(texts)
        vectors = np.concatenate([_word_vectors(*of) for of in zip(texts, read, strict=True)])
        whole = torch.stack([one.whole for one in read])
        made = {"words": torch.from_numpy(vectors).half(), "texts": whole.half()}
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            whole_file.write(path, to_bytes(made))
        return made["words"].float().numpy(), made["texts"].float().numpy()


def _words(text: str) -> list[tuple[str, int, int]]:
    return [(m.group(), m.start(), m.end()) for m in WORD.finditer(text)]


def _word_vectors(text: str, read: InContext) -> np.ndarray:
    """Unit vectors ``[T, D]`` of the words of a text: each the mean of its pieces."""
    rows = [
        read.pieces[[k for k, (a, b) in enumerate(read.spans) if a < end and b > start]].mean(0)
        for _, start, end in _words(text)
    ]
    return (F.normalize(torch.stack(rows), dim=1) if rows else read.pieces[:0]).numpy()


def _rarity(count: int, texts: int) -> float:
    """Inverse document frequency, 1 for a word of no text and 0 for one of all."""
    return math.log((texts + 1) / (count + 1)) / math.log(texts + 1)
