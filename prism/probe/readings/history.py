"""A recorded matrix step by step, with the steps that each number took on its lattice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from prism.probe.store.events import applied
from prism.probe.store.log import Log
from prism.probe.store.ordinal import Bits, values


@dataclass(frozen=True)
class Moment:
    """The matrix after a step.

    Attributes:
        step: steps done.
        bits: ``[R, D]`` of the chosen rows.
        moved: ``[R, D]`` lattice steps since the step before.
    """

    step: int
    bits: Bits
    moved: NDArray[np.int64]


class Reading(Protocol):
    """Something that is read off a log, moment by moment."""

    def add(self, moment: Moment) -> None:
        """Take the next step."""


class Latest:
    """The bits after the last step that was read; ``bits`` before the first."""

    def __init__(self, bits: Bits) -> None:
        self.bits = bits

    def add(self, moment: Moment) -> None:
        self.bits = moment.bits


def read(
    log: Log, chosen: NDArray[np.int64], readings: Sequence[Reading], until: int | None = None
) -> None:
    """Read the log once for all of ``readings``."""
    for moment in moments(log, chosen, until):
        for reading in readings:
            reading.add(moment)


def moments(log: Log, chosen: NDArray[np.int64], until: int | None = None) -> Iterator[Moment]:
    """Each step of the rows with indices ``chosen`` among those recorded; arrays are reused."""
    bits = log.start()[chosen]
    flat = bits.reshape(-1)
    moved = np.zeros(flat.size, np.int64)
    for step, movement in log.movements(until, chosen):
        applied(flat, movement)
        places, distances, _ = movement
        moved[places] = distances
        yield Moment(step, bits, moved.reshape(bits.shape))
        moved[places] = 0


def numbers(log: Log, bits: Bits) -> NDArray[np.float64]:
    """The rows as float64."""
    return values(bits, log.format).reshape(bits.shape)


@dataclass(frozen=True)
class Sightings:
    """First steps at which each id of the vocabulary was seen.

    Attributes:
        read: ``[V]`` step of the first batch that had it as an input; 0 = none.
        asked: ``[V]`` likewise as a target.
        inputs: ``[V]`` how often it was read.
        targets: ``[V]`` how often it was to be predicted.
    """

    read: NDArray[np.int64]
    asked: NDArray[np.int64]
    inputs: NDArray[np.int64]
    targets: NDArray[np.int64]

    @property
    def first(self) -> NDArray[np.int64]:
        """``[V]`` step at which it was first seen at all; 0 = never."""
        far = np.iinfo(np.int64).max
        first = np.minimum(
            np.where(self.read, self.read, far), np.where(self.asked, self.asked, far)
        )
        return np.where(first == far, 0, first)


def sightings(log: Log, until: int) -> Sightings:
    """Counts of the ids in the batches of the steps up to ``until``."""
    vocabulary = log.header["shape"][0]
    tables = [np.zeros(vocabulary, np.int64) for _ in range(4)]
    read, asked, inputs, targets = tables
    for step, seen, wanted in log.counts(until):
        for first, total, now in ((read, inputs, seen), (asked, targets, wanted)):
            first[(now > 0) & (first == 0)] = step
            total += now
    return Sightings(*tables)


def unseen(log: Log, until: int) -> NDArray[np.int64]:
    """Indices among the recorded rows of those that no batch has held up to ``until``.

    Raises:
        ValueError: every recorded row has been seen.
    """
    found = np.flatnonzero(sightings(log, until).first[log.rows] == 0)
    if len(found) == 0:
        raise ValueError(f"{log.path}: every row has been seen by step {until}; use --rows all")
    return found
