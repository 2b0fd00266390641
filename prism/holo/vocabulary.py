"""Vocabulary: the values that a tape can answer with, their ids, and facts as bound pairs of ids.

Open: a value gets the next id when it is first bound; its code follows its hash, so that tapes
filled apart can be added. Fixed: a list, the integers 0..M-1, or a tensor of codes; anything else
is refused. In a tape of sequences a value is a tuple, bound one item per position and closed by an
end mark, which is one more value of the vocabulary, so that reading needs no length.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from prism.holo.algebra.codebook import Codebook, GivenCodebook, HadamardCodebook, HashedCodebook
from prism.holo.algebra.codes import digest, hash_keys, position_hashes
from prism.holo.keys.normal import listed, normal_value, normal_values

Item = str | bytes | int
END_HASH = np.uint64(0x510E527FADE682D1)
LONGEST = 65_535  # positions that a row of the ledger can number


class Vocabulary:
    """Values and their codes.

    Args:
        dim: length of a code.
        values: None = open; an int M = the integers below M; a list of str, bytes or ints; or a
            tensor [M, dim] of +-1, whose values are row numbers.
        sequence: values are tuples of items.
        seed: of the codes.
    """

    def __init__(
        self,
        dim: int,
        values: int | Sequence[Item] | Tensor | None = None,
        sequence: bool = False,
        seed: int = 0,
    ) -> None:
        self.sequence, self._seed = sequence, seed
        self.open = values is None
        self._items: list[Item] | None = None
        self._numbered: dict[Item, int] | None = None  # made when it is first needed
        if isinstance(values, Tensor):
            self.codes: Codebook = GivenCodebook(dim, values)
            self._size = len(self.codes) - sequence
        elif values is None:
            self.codes = HashedCodebook(dim)
            self._items, self._size = [], 0
            if sequence:
                self.codes.extend(np.array([END_HASH ^ np.uint64(seed)]))
        else:
            self._size = self._fix(values)
            self.codes = HadamardCodebook(dim, self._size + sequence, seed)

    def _fix(self, values: int | Sequence[Item]) -> int:
        if isinstance(values, int | np.integer) and not isinstance(values, bool):
            if values < 2:
                raise ValueError(f"values = {values}: must be at least 2")
            return int(values)
        if isinstance(values, str | bytes) or not isinstance(values, Iterable):
            raise TypeError(f"values = {values!r}: must be None, a number, a list or a tensor")
        values = list(listed(values, "values"))
        self._items = [_plain(value) for value in values]
        if "" in self._items or b"" in self._items:
            raise ValueError("values: an item must not be empty")
        if len(self._ids) != len(self._items) or len(self._items) < 2:
            raise ValueError(f"values: a list of {len(values)} must hold >= 2 distinct values")
        return len(self._items)

    def __len__(self) -> int:
        """M, the candidates of one read, with the end mark."""
        return len(self.codes)

    @property
    def nbytes(self) -> int:
        """Bytes of the codes, of the values as Python holds them, and of their index if it is
        made."""
        held: list[Any] = [] if self._items is None else [self._items, *self._items]
        held += [] if self._numbered is None else [self._numbered]
        return self.codes.nbytes + sum(map(sys.getsizeof, held))

    @property
    def end(self) -> int | None:
        """Id of the end mark; None unless the values are sequences."""
        if not self.sequence:
            return None
        return 0 if self.open else self._size

    @property
    def size(self) -> int:
        """Values of a fixed vocabulary, without the end mark."""
        return self._size

    @property
    def given(self) -> bool:
        """True if the codes were given as a tensor."""
        return isinstance(self.codes, GivenCodebook)

    @property
    def items(self) -> list[Item] | None:
        """The values by id, without the end mark; None where a value is its number."""
        return self._items

    @property
    def _ids(self) -> dict[Item, int]:
        """Places in the list of items: texts, bytes and integers never equal one another."""
        if self._numbered is None:
            self._numbered = {item: i for i, item in enumerate(self._items or ())}
        return self._numbered

    def ids(self, values: Iterable[Any] | np.ndarray | Tensor, grow: bool = False) -> np.ndarray:
        """Ids int64 [N] of items; with ``grow`` an open vocabulary learns new ones.

        Raises:
            ValueError: a value that a fixed vocabulary does not have; -1 where it is open and
                may not grow.
        """
        if isinstance(values, Tensor):
            values = values.cpu().numpy()
        if self._items is None:
            return self._numbers(values)
        if isinstance(values, np.ndarray):
            values = values.tolist()
        if grow and self.open:
            return self._grow(list(values))
        shift = int(self.open and self.sequence)
        values = list(values)
        ids = [self._ids.get(_plain(v), -1 - shift) + shift for v in values]
        if not self.open and -1 in ids:
            bad = values[ids.index(-1)]
            raise ValueError(f"value {bad!r}: must be one of the {self._size} of this tape")
        return np.array(ids, np.int64)

    def value(self, index: int) -> Item:
        """The value of an id."""
        if self._items is None:
            return int(index)
        return self._items[index - int(self.open and self.sequence)]

    def extend(self, items: Sequence[Item]) -> None:
        """Append items of another open vocabulary, in its order, as far as they are new."""
        self._grow(list(items))

    def shrink(self, size: int) -> None:
        """Drop the values that an open vocabulary has learnt since it had ``size`` codes."""
        if self.open and size < len(self.codes):
            for item in self._items[size - self.sequence :]:  # type: ignore[index]
                del self._ids[item]
            del self._items[size - self.sequence :]  # type: ignore[index]
            self.codes.shrink(size)  # type: ignore[attr-defined]

    def keep(self, used: np.ndarray) -> None:
        """Keep the values of an open vocabulary where ``used`` bool [M] says so, in their order;
        the end mark always."""
        items = used[1:] if self.sequence else used
        self._items = [v for v, is_used in zip(self._items, items, strict=True) if is_used]  # type: ignore[arg-type]
        self._numbered = None
        self.codes.keep(used)  # type: ignore[attr-defined]

    def recode(self, dim: int) -> None:
        """Go on with codes of ``dim`` signs; every value keeps its id.

        Raises:
            ValueError: the codes were given as a tensor, and have another length.
        """
        if isinstance(self.codes, HashedCodebook):
            self.codes = HashedCodebook.of(dim, self.codes.hashes)
        elif isinstance(self.codes, HadamardCodebook):
            self.codes = HadamardCodebook(dim, len(self.codes), self._seed)
        elif dim != self.codes.dim:
            raise ValueError(f"codes of {self.codes.dim} signs were given: they cannot have {dim}")

    def restore(self, items: list[Item], hashes: np.ndarray) -> None:
        """Take over the items of an open vocabulary and the hashes uint64 of its codes, the end
        mark's as well, as they were saved."""
        if len(items) + self.sequence != len(hashes):
            raise ValueError(f"{len(items)} values with {len(hashes)} hashes")
        self._items, self._numbered = items, None
        self.codes = HashedCodebook.of(self.codes.dim, hashes)

    def _grow(self, values: list[Item]) -> np.ndarray:
        known, values = self._ids, [_plain(v) for v in values]
        fresh = list(dict.fromkeys(v for v in values if v not in known))
        if fresh:
            self.codes.extend(hash_keys(fresh, self._seed))  # type: ignore[attr-defined]
            for item in fresh:
                known[item] = len(self._items)  # type: ignore[arg-type]
                self._items.append(item)  # type: ignore[union-attr]
        shift = int(self.sequence)
        return np.array([known[v] + shift for v in values], np.int64)

    def _numbers(self, values: Any) -> np.ndarray:
        numbers = np.asarray(values if isinstance(values, np.ndarray) else list(values))
        if numbers.size == 0:
            return np.zeros(0, np.int64)
        if numbers.dtype.kind not in "iu":
            raise TypeError(f"value {numbers.flat[0]!r}: must be an integer below {self._size}")
        wrong = (numbers < 0) | (numbers >= self._size)
        if wrong.any():
            raise ValueError(f"value {numbers[wrong][0]}: must be in 0..{self._size - 1}")
        return numbers.ravel().astype(np.int64)

    @property
    def fingerprint(self) -> str:
        """Text that agrees for two vocabularies with the same codes."""
        return json.dumps([self.codes.kind, self._fixed, self.sequence, self._seed, self.codes.dim])

    @property
    def meaning(self) -> str:
        """Text that agrees for two vocabularies that can answer the same, at any length of the
        codes."""
        given = self.codes.kind if self.given else None
        return json.dumps([given, self._fixed, self.sequence, self._seed])

    @property
    def _fixed(self) -> int | str | None:
        """The values of a fixed vocabulary, their number or a digest of the list."""
        if self.open or self._items is None:
            return None if self.open else self._size
        raw = b"".join(digest(v, b"") for v in self._items)
        return hashlib.sha256(raw).hexdigest()[:16]


@dataclass(frozen=True)
class Bindings:
    """n bound pairs of F facts, key by value.

    Attributes:
        hashes: uint64 [n], of the keys.
        ids: int64 [n], of the values.
        position: int64 [n], in the fact's sequence; 0 for a single value.
        fact: int64 [n], the fact that each belongs to.
    """

    hashes: np.ndarray
    ids: np.ndarray
    position: np.ndarray
    fact: np.ndarray

    def of(self, facts: np.ndarray) -> Bindings:
        """The bindings of the facts for which bool [F] holds; facts keep their numbers."""
        keep = facts[self.fact]
        columns = (self.hashes, self.ids, self.position, self.fact)
        return Bindings(*(column[keep] for column in columns))


def to_bindings(
    vocabulary: Vocabulary, hashes: np.ndarray, values: Any, grow: bool, keys: Any = None
) -> Bindings:
    """The bindings of F facts with key hashes uint64 [F] and as many values; ``keys`` are named in
    errors.

    A sequence under key k is one binding per position j, of k moved to position j
    (:func:`~prism.holo.algebra.codes.position_hashes`), and one of the end mark after them.

    Raises:
        ValueError: another number of values, or a value that the vocabulary refuses.
    """
    count, keys = len(hashes), hashes if keys is None else keys
    if not vocabulary.sequence:
        ids = vocabulary.ids(normal_values(values, keys), grow)
        return Bindings(hashes, ids, np.zeros(count, np.int64), np.arange(count))
    values = list(listed(values, "values"))
    if len(values) != count:
        raise ValueError(f"{len(values)} values for {count} keys: must be as many")
    tuples = [
        tuple(normal_value(item, key) for item in as_tuple(value))
        for key, value in zip(keys, values, strict=True)
    ]
    length = np.array([len(items) + 1 for items in tuples], np.int64)
    if count and length.max() > LONGEST:
        raise ValueError(
            f"key {keys[int(length.argmax())]!r}: a value of {length.max() - 1:,} items: must be "
            f"at most {LONGEST - 1:,}"
        )
    ends = np.cumsum(length) - 1
    fact = np.repeat(np.arange(count), length)
    position = np.arange(len(fact)) - (ends - length + 1)[fact]
    ids = np.full(len(fact), vocabulary.end, np.int64)
    ids[position < length[fact] - 1] = vocabulary.ids([i for t in tuples for i in t], grow)
    return Bindings(position_hashes(hashes[fact], position), ids, position, fact)


def as_tuple(value: Any) -> tuple[Any, ...]:
    """A sequence as a tuple; one item alone is a sequence of one."""
    if isinstance(value, str | bytes) or not isinstance(value, Sequence | np.ndarray):
        return (value,)
    return tuple(value)


def to_json(value: Any) -> Any:
    """A value as JSON has it: bytes as hex digits in an object, tuples as lists."""
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, tuple):
        return [to_json(item) for item in value]
    return value


def _plain(value: Any) -> Item:
    """A value as plain str, bytes or int, so that equal values have one id. (An old file may have
    half characters.)"""
    kind = type(value)
    if kind is str or kind is bytes:
        return value
    return normal_value(value)
