"""Freezing as survival: how long numbers go on moving (Kaplan & Meier 1958).

A number of the matrix *freezes* at the step of its last movement, if the log goes on for a window
without one after it. It is censored where that cannot be known:

    at the end of the log less the window, if it has moved inside the window
    at the step before its token was first seen, since it is no dead token after that

    S(t) = product over freezing times s <= t of (1 - frozen at s / still at risk at s)

The median is the first t with S(t) <= 1/2, or none. Its interval is from resampling whole rows,
because the numbers of a row freeze together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prism.probe.readings.history import Moment, read, sightings
from prism.probe.store.log import Log

SHARE = 0.1  # of the log: the window
RESAMPLES = 200


@dataclass(frozen=True)
class Lifetimes:
    """``[R, D]``: steps at which numbers froze or were censored, and which of them froze."""

    times: NDArray[np.int64]
    frozen: NDArray[np.bool_]


class LastMovements:
    """A :class:`~prism.probe.readings.history.Reading` of the step at which each number of the rows
    ``chosen`` last moved as a dead one."""

    def __init__(self, log: Log, chosen: NDArray[np.int64]) -> None:
        first = sightings(log, log.last).first[log.rows[chosen]]
        self._log = log
        self._until = np.where(first > 0, first - 1, log.last)[:, None]  # last step as a dead token
        self._last = np.full((len(chosen), log.width), log.first)

    def add(self, moment: Moment) -> None:
        self._last[(moment.moved != 0) & (moment.step <= self._until)] = moment.step

    def lifetimes(self) -> Lifetimes:
        """After the whole log."""
        first, window = self._log.first, round(SHARE * (self._log.last - self._log.first))
        return censored(self._last - first, self._until - first, window)


def lifetimes(log: Log, chosen: NDArray[np.int64]) -> Lifetimes:
    """Of the rows with indices ``chosen`` among those recorded."""
    reading = LastMovements(log, chosen)
    read(log, chosen, [reading])
    return reading.lifetimes()


def censored(last: NDArray[np.int64], until: NDArray[np.int64], window: int) -> Lifetimes:
    """Lifetimes of numbers that last moved at ``last`` and were watched to ``until``; a number
    that was watched for less than ``window`` cannot be told to be frozen."""
    end = np.broadcast_to(until, last.shape) - window
    frozen = last <= end
    return Lifetimes(np.where(frozen, last, np.maximum(end, 0)), frozen)


def curve(
    times: NDArray[np.int64], frozen: NDArray[np.bool_], weights: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """``S(t)`` for t = 0 ... the last time; the arguments flat.

    Args:
        weights: how often each counts; None = once.
    """
    size = int(times.max()) + 1
    counted = np.ones(len(times)) if weights is None else weights
    leaving = np.bincount(times, counted, minlength=size)
    dying = np.bincount(times[frozen], counted[frozen], minlength=size)
    at_risk = leaving[::-1].cumsum()[::-1]
    return np.cumprod(1 - dying / np.maximum(at_risk, 1e-300))


def median(survival: NDArray[np.float64]) -> int | None:
    """The first t with ``S(t) <= 1/2``; None if it stays above."""
    below = np.flatnonzero(survival <= 0.5)
    return int(below[0]) if len(below) else None


def summary(lives: Lifetimes, seed: int = 0) -> dict[str, Any]:
    """Median with its 95% interval (None = not reached), share that froze, last freezing."""
    rows, width = lives.times.shape
    times, frozen = lives.times.ravel(), lives.frozen.ravel()
    source = np.random.default_rng(seed)
    medians = []
    for _ in range(RESAMPLES):
        drawn = np.bincount(source.integers(0, rows, rows), minlength=rows).astype(float)
        found = median(curve(times, frozen, np.repeat(drawn, width)))
        medians.append(np.inf if found is None else found)
    low, high = np.quantile(medians, [0.025, 0.975], method="nearest")
    return {
        "rows": rows,
        "numbers": rows * width,
        "median": median(curve(times, frozen)),
        "interval": [None if np.isinf(x) else int(x) for x in (low, high)],
        "frozen": float(frozen.mean()),
        "last": int(times[frozen].max()) if frozen.any() else None,
    }
