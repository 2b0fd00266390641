"""Movements of the numbers of a matrix, several steps at a time, as compressed bytes.

A step moves each number some way on its lattice (:mod:`prism.probe.store.ordinal`). An optimizer
with momentum moves it nearly as far as the step before did, so what is kept is the *change*

    c(t) = d(t) - d(t-1)          d(t) lattice steps of step t; d = 0 before the first of a block

which is 0 for most numbers, also for those that move. Given the movement before, a movement of the
flannel model's table has .65 bits (after 300 steps, empirical), and 2.24 bits without. Bits of
streams that compress alike are kept together:

    changed  one bit per number and step: c is not 0
    signs    one bit per change: the movement before went the way that the change goes
    far      one bit per change: by more than one lattice step
    plane k  of the far ones the distance - 2 in digits of 7 bits, lowest first, with a bit for more
    zeros    the numbers that became, or ceased to be, the negative zero

Each stream is deflated without a search for repetitions (Huffman codes and runs): nearly as small
as a search here, many times as fast. The bytes depend on the movements alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prism.probe.store.ordinal import Bits, bits_of_ordinals, ordinals

Streams = dict[str, bytes]
Step = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]  # places, distances, zeros
PLANES = 12  # of 7 bits, more than any change needs


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
        steps: dtype of lattice steps.
    """

    steps: type[np.signedinteger]
    _changed: list[NDArray[np.uint8]] = field(default_factory=list)
    _signs: list[NDArray[np.bool_]] = field(default_factory=list)
    _distances: list[NDArray[Any]] = field(default_factory=list)
    _zeros: list[NDArray[np.int64]] = field(default_factory=list)
    _place: NDArray[Any] | None = None  # ordinals after the last step
    _last: NDArray[Any] | None = None  # the last movement

    def __len__(self) -> int:
        return len(self._changed)

    @property
    def held(self) -> int:
        """Bytes that wait."""
        return sum(x.nbytes for x in (*self._changed, *self._distances))

    def add(self, before: Bits, after: Bits) -> None:
        """Take a step from the bits ``before`` to ``after``, both flat; ``before`` must be what the
        step before has led to."""
        if self._place is None or self._last is None:
            self._place = ordinals(before).astype(self.steps)
            self._last = np.zeros(before.size, self.steps)
        place = ordinals(after).astype(self.steps)
        step = place - self._place
        change = step - self._last
        changed = change != 0
        places = np.flatnonzero(changed)
        far = change[places]
        self._changed.append(np.packbits(changed))
        self._signs.append((far > 0) == (self._last[places] > 0))
        self._distances.append(np.abs(far) - 1)
        negative_zero = np.iinfo(after.dtype).min
        turned = (before != after) & ((step == 0) | (after == negative_zero))
        self._zeros.append(np.flatnonzero(turned))
        self._place, self._last = place, step

    def encoded(self) -> Streams:
        """The streams of all steps taken, which are forgotten."""
        beyond = np.concatenate(self._distances)
        far = beyond > 0
        streams = {
            "changed": np.concatenate(self._changed),
            "signs": np.packbits(np.concatenate(self._signs)),
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
        self._changed, self._signs, self._distances, self._zeros = [], [], [], []
        self._place = self._last = None
        return {name: deflated(x.tobytes()) for name, x in streams.items() if len(x)}


def decoded(
    streams: Streams, count: int, size: int, place: NDArray[np.int64] | None = None
) -> Iterator[Step]:
    """The steps of :meth:`Movements.encoded`: places that moved, by how many lattice steps, and the
    places of zeros that changed their sign.

    Args:
        count: number of steps.
        size: numbers in the matrix.
        place: ``[size]`` of each number among those that are wanted, negative = not wanted; places
            are then among these. None = all. Few numbers take far less time than all.
    """
    names = ["changed", "signs", "far", "zero_counts", "zeros"]
    names += [f"plane{k}" for k in range(PLANES)]
    raw: dict[str, Any] = {
        name: np.frombuffer(inflated(streams[name]) if name in streams else b"", "u1")
        for name in names
    }
    bitmap = np.unpackbits(raw["changed"].reshape(count, -1), axis=1, count=size)
    total = int(bitmap.sum())
    signs = np.unpackbits(raw["signs"], count=total).astype(bool)
    far = np.unpackbits(raw["far"], count=total).astype(bool)
    distances = np.ones(total, np.int64)
    distances[far] = 2 + _joined([x for k in range(PLANES) if len(x := raw[f"plane{k}"])])
    zeros = np.split(
        raw["zeros"].view("<u8").astype(np.int64), np.cumsum(raw["zero_counts"].view("<u4"))
    )
    wanted = size if place is None else int(place.max(initial=-1)) + 1
    step, begin = np.zeros(wanted, np.int64), 0
    for row, turned in zip(bitmap, zeros, strict=False):
        changed = np.flatnonzero(row)
        here = slice(begin, begin + len(changed))
        begin += len(changed)
        sign, far_by = signs[here], distances[here]
        if place is not None:
            changed, turned = place[changed], place[turned]
            kept = changed >= 0
            changed, sign, far_by = changed[kept], sign[kept], far_by[kept]
            turned = turned[turned >= 0]
        up = sign == (step[changed] > 0)
        step[changed] += np.where(up, far_by, -far_by)
        places = np.flatnonzero(step)
        yield places, step[places], turned


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
