"""Targets of training rows, made when they are asked for from the states of a store.

A row of the trainer names for every token its document, by a hash of the student's ids, and its
place there. The store's documents are encoded once in the student's tokens, which gives their
hashes; so the targets of a position depend on nothing but document and place, whatever rank,
micro-batch or step asks for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from prism.data.document import document_id, encode
from prism.data.tokens import Tokenizer
from prism.distill.marginal import Marginaliser
from prism.distill.store import Store

KEPT = 64  # documents whose states are kept decoded


@dataclass(frozen=True)
class Known:
    """Targets of some positions of a row.

    Attributes:
        positions: ``[k]`` int64, in the row.
        targets: ``[k, V']`` fp32, distributions of the next token.
        missing: ``[k]`` mass that was missing from each before it was scaled to 1.
    """

    positions: Tensor
    targets: Tensor
    missing: Tensor


class StoreTargets:
    """Targets for a student from one store.

    Args:
        store: of the teacher.
        tokenizer: of the student.
        marginaliser: from the one's tokens to the other's.

    Raises:
        ValueError: a document of the store is not the same text in both tokenizers.
    """

    def __init__(self, store: Store, tokenizer: Tokenizer, marginaliser: Marginaliser) -> None:
        self.store, self.marginaliser = store, marginaliser
        self.index: dict[int, int] = {}
        for i in range(len(store)):
            tokens, _ = encode(store.document(i), tokenizer)
            ids = [x for v in store.ids(i) for x in marginaliser.pieces[v]]
            if ids != tokens.tolist():
                raise ValueError(f"{store.document(i).where}: the student's tokens are not those "
                                 "of the teacher's one after the other; must be")  # fmt: skip
            self.index.setdefault(document_id(tokens), i)
        self._document = lru_cache(KEPT)(self._read)

    def _read(self, number: int) -> tuple[list[int], Tensor, Tensor]:
        """The teacher's ids of a document, its states, and the first student token of each id."""
        ids = self.store.ids(number).tolist()
        sizes = [len(self.marginaliser.pieces[v]) for v in ids]
        starts = torch.tensor([0, *np.cumsum(sizes).tolist()])
        return ids, self.store.states(number), starts

    def row(self, document: Tensor, offset: Tensor) -> Iterator[Known]:
        """Targets of a row, document by document.

        Args:
            document: ``[T]`` int64, hash of the document of each token.
            offset: ``[T]`` int64, its place there.
        """
        _, lengths = torch.unique_consecutive(document, return_counts=True)
        begin = 0
        for length in lengths.tolist():
            number = self.index.get(int(document[begin]))
            if number is not None:
                known = self._of(number, begin, int(offset[begin]), length)
                if known is not None:
                    yield known
            begin += length

    def _of(self, number: int, begin: int, offset: int, length: int) -> Known | None:
        """Targets of the tokens after ``offset .. offset + length - 1`` of a document, which lie at
        ``begin`` in the row."""
        ids, states, starts = self._document(number)
        first, last = max(offset + 1, int(starts[1])), min(offset + length, int(starts[-1]) - 1)
        if first > last:
            return None
        low = int(torch.searchsorted(starts, first, right=True)) - 1  # the ids that they are of
        high = int(torch.searchsorted(starts, last, right=True)) - 1
        # distribution of id i is after state i - 1; one more for the look-back
        alone = low == 1
        sums = self.marginaliser.sums(states[low - 1 if alone else low - 2 : high])
        if alone:
            sums = np.concatenate([sums[:1], sums])
        targets, missing = self.marginaliser.targets(ids[low - 1 : high + 1], sums, alone)
        here = slice(first - int(starts[low]), last + 1 - int(starts[low]))
        positions = torch.arange(first, last + 1) - 1 - offset + begin
        return Known(positions, targets[here], missing[here])
