"""Facts as items: keys and values in, hashes and value ids out.

An item is one (key hash, value id). A fact of an ordinary tape is one item. A tape of sequences
stores a tuple as the items (key, position 0), (key, position 1), ..., the last being the end mark,
so that reading needs no length and stops by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from prism.holo.algebra.codes import position_hashes
from prism.holo.vocabulary import Vocabulary

LONGEST = 65_535  # positions that a row of the ledger can number


@dataclass(frozen=True)
class Items:
    """n items of F facts: hash uint64 [n], id int64 [n], position int64 [n], fact int64 [n]."""

    hashes: np.ndarray
    ids: np.ndarray
    position: np.ndarray
    fact: np.ndarray

    def of(self, facts: np.ndarray) -> Items:
        """The items of those facts for which bool [F] holds; facts keep their numbers."""
        keep = facts[self.fact]
        columns = (self.hashes, self.ids, self.position, self.fact)
        return Items(*(column[keep] for column in columns))


def to_items(vocabulary: Vocabulary, hashes: np.ndarray, values: Any, grow: bool) -> Items:
    """The items of F facts with key hashes [F] and as many values.

    Raises:
        ValueError: another number of values, or a value that the vocabulary refuses.
    """
    count = len(hashes)
    if len(values) != count:
        raise ValueError(f"{len(values)} values for {count} keys: must be as many")
    if not vocabulary.sequence:
        ids = vocabulary.ids(values, grow)
        return Items(hashes, ids, np.zeros(count, np.int64), np.arange(count))
    tuples = [as_tuple(value) for value in values]
    length = np.array([len(items) + 1 for items in tuples], np.int64)
    if count and length.max() > LONGEST:
        raise ValueError(f"a value of {length.max() - 1} items: must be at most {LONGEST - 1}")
    ends = np.cumsum(length) - 1
    fact = np.repeat(np.arange(count), length)
    position = np.arange(len(fact)) - (ends - length + 1)[fact]
    ids = np.full(len(fact), vocabulary.end, np.int64)
    ids[position < length[fact] - 1] = vocabulary.ids([i for t in tuples for i in t], grow)
    return Items(position_hashes(hashes[fact], position), ids, position, fact)


def as_tuple(value: Any) -> tuple[Any, ...]:
    """A sequence as a tuple; one item alone is a sequence of one."""
    if isinstance(value, str | bytes) or not isinstance(value, Sequence | np.ndarray):
        return (value,)
    return tuple(value)
