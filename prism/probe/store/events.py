"""Movements of the numbers of a matrix, several steps at a time, as compressed bytes.

A step is the set of numbers that moved and how far each went on its lattice
(:mod:`prism.probe.store.ordinal`). Bits of streams that compress alike are kept together:

    moved    one bit per number and step
    signs    one bit per movement: other than that of the majority of its column in its step
    columns  one bit per column and step: the sign of that majority
    far      one bit per movement: by more than one lattice step
    plane k  of the far ones the distance - 2 in digits of 7 bits, lowest first, with a bit for more
    zeros    the numbers that became, or ceased to be, the negative zero

Unused rows of an embedding all drift one way, hence the majority. Each stream is deflated without a
search for repetitions (Huffman codes and runs): nearly as small as a search here, many times as
fast. The bytes depend on the movements alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prism.probe.store.ordinal import Bits, bits_of_ordinals, ordinals

NAMES = ("moved", "signs", "columns", "far", "zero_counts", "zeros")  # and plane0, plane1, ...
Streams = dict[str, bytes]
Step = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]  # places, distances, zeros


def deflated(raw: bytes) -> bytes:
    """Huffman codes and runs of one byte."""
    coder = zlib.compressobj(1, zlib.DEFLATED, -15, 9, zlib.Z_RLE)
    return coder.compress(raw) + coder.flush()


def inflated(packed: bytes) -> bytes:
    """The bytes that :func:`deflated` was given."""
    return zlib.decompress(packed, -15)


@dataclass
class Movements:
    """Steps that wait to be encoded.

    Attributes:
        width: columns D of the matrix.
        size: numbers in it.
    """

    width: int
    size: int
    _moved: list[NDArray[np.uint8]] = field(default_factory=list)
    _signs: list[NDArray[np.bool_]] = field(default_factory=list)
    _columns: list[NDArray[np.bool_]] = field(default_factory=list)
    _distances: list[Bits] = field(default_factory=list)
    _zeros: list[NDArray[np.int64]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._moved)

    @property
    def held(self) -> int:
        """Bytes that wait."""
        return sum(x.nbytes for x in (*self._moved, *self._distances))

    def add(self, before: Bits, after: Bits, steps: type[np.signedinteger]) -> int:
        """Take a step from the bits ``before`` to ``after``, both flat; how many numbers moved.

        Args:
            steps: dtype of lattice steps.
        """
        places = np.flatnonzero(before != after)
        old, new = before[places], after[places]
        step = ordinals(new).astype(steps) - ordinals(old)
        zeros = places[(new == np.iinfo(new.dtype).min) | (step == 0)]
        if len(zeros):
            still = step != 0
            places, step = places[still], step[still]
        moved = np.zeros(self.size, np.bool_)
        moved[places] = True
        negative = step < 0
        columns = (places % self.width).astype(np.int32)
        down = np.bincount(columns, negative, minlength=self.width)
        majority = 2 * down > np.bincount(columns, minlength=self.width)
        self._moved.append(np.packbits(moved))
        self._signs.append(negative ^ majority[columns])
        self._columns.append(majority)
        self._distances.append(np.abs(step) - 1)
        self._zeros.append(zeros)
        return len(places)

    def encoded(self) -> Streams:
        """The streams of all steps taken, which are forgotten."""
        beyond = np.concatenate(self._distances)
        far = beyond > 0
        streams = {
            "moved": np.concatenate(self._moved),
            "signs": np.packbits(np.concatenate(self._signs)),
            "columns": np.packbits(np.concatenate(self._columns)),
            "far": np.packbits(far),
            "zero_counts": np.array([len(z) for z in self._zeros], "<u4"),
            "zeros": np.concatenate(self._zeros).astype("<u8"),
        }
        rest, k = beyond[far] - 1, 0
        while len(rest):
            digit, rest = rest & 127, rest >> 7
            more = rest > 0
            streams[f"plane{k}"] = (digit | (more << 7)).astype(np.uint8)
            rest, k = rest[more], k + 1
        self._moved, self._signs, self._columns = [], [], []
        self._distances, self._zeros = [], []
        return {name: deflated(x.tobytes()) for name, x in streams.items() if len(x)}


def decoded(streams: Streams, count: int, width: int, size: int) -> Iterator[Step]:
    """The steps of :meth:`Movements.encoded`: places that moved, by how many lattice steps, and the
    places of zeros that changed their sign.

    Args:
        count: number of steps.
        width: columns of the matrix.
        size: numbers in it.
    """
    mine = {n: x for n, x in streams.items() if n in NAMES or n.startswith("plane")}
    raw: dict[str, Any] = {name: np.frombuffer(inflated(x), "u1") for name, x in mine.items()}
    none = np.zeros(0, np.uint8)
    bitmap = np.unpackbits(raw["moved"].reshape(count, -1), axis=1, count=size)
    places = [np.flatnonzero(row) for row in bitmap]
    total = sum(map(len, places))
    signs = np.unpackbits(raw.get("signs", none), count=total).astype(bool)
    far = np.unpackbits(raw.get("far", none), count=total).astype(bool)
    columns = np.unpackbits(raw["columns"], count=count * width).reshape(count, width).astype(bool)
    distances = np.ones(total, np.int64)
    distances[far] = 2 + _joined([raw[f"plane{k}"] for k in range(12) if f"plane{k}" in raw])
    zero_counts = raw["zero_counts"].view("<u4")
    zeros = np.split(raw.get("zeros", none).view("<u8").astype(np.int64), np.cumsum(zero_counts))
    begin = 0
    for where, majority, changed in zip(places, columns, zeros, strict=False):
        here = slice(begin, begin + len(where))
        begin += len(where)
        negative = signs[here] ^ majority[where % width]
        yield where, np.where(negative, -distances[here], distances[here]), changed


def _joined(planes: Sequence[NDArray[np.uint8]]) -> NDArray[np.int64]:
    """Numbers from their digits of 7 bits."""
    if not planes:
        return np.zeros(0, np.int64)
    number = (planes[0] & 127).astype(np.int64)
    more = planes[0] > 127
    if more.any():
        number[more] += _joined(planes[1:]) << 7
    return number


def applied(bits: Bits, step: Step) -> None:
    """Move ``bits``, flat, by a step, in place."""
    places, distances, zeros = step
    number = ordinals(bits[places]).astype(np.int64) + distances
    bits[places] = bits_of_ordinals(number.astype(bits.dtype))
    bits[zeros] ^= np.iinfo(bits.dtype).min
