"""Motion of a cloud of rows: against its own drift, and by size on the lattice.

With W the rows, c = mean over the rows (float64), and d the change over a step:

    bulk          |c_t - c_0|, how far the cloud has drifted
    temperature   mean over rows of |dW - dc|^2 / D, what is left when the drift is taken off
    coherence     |mean of dW| / mean of |dW|, 1 = all go one way
    radius        mean of |W - c|, and of |W| (about the origin)
    antiparallel  cos(dc, -mean hidden state): the gradient of a dead row is p h

On the lattice a row's step is *frozen* if nothing moved, a *hop* if one number moved by one,
*adjacent* if none moved by more than one, *local* up to a length of sqrt(D), else a *jump*. Single
steps *take over* at the first step from which on they are, to the end, most of all movements.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prism.probe.readings.history import Moment, numbers, read
from prism.probe.store.log import Log

Series = dict[str, NDArray[np.float64]]
GAITS = ("frozen", "hop", "adjacent", "local", "jump")


class Comoving:
    """A :class:`~prism.probe.readings.history.Reading` of the rows with indices ``chosen``."""

    NAMES = (
        "step", "bulk", "temperature", "coherence", "radius", "radius_origin", "antiparallel",
    )  # fmt: skip

    def __init__(self, log: Log, chosen: NDArray[np.int64]) -> None:
        self._log, self._hidden = log, log.records.get("mean")
        self._before = numbers(log, log.start()[chosen])
        self._origin = self._centre = self._before.mean(axis=0)
        self._rows: list[list[float]] = []

    def add(self, moment: Moment) -> None:
        now = numbers(self._log, moment.bits)
        step, middle = now - self._before, now.mean(axis=0)
        drift = middle - self._centre
        lengths = np.linalg.norm(step, axis=1).mean()
        hidden = None if self._hidden is None else self._hidden[len(self._rows)]
        self._rows.append([
            float(moment.step),
            float(np.linalg.norm(middle - self._origin)),
            float(((step - drift) ** 2).sum(axis=1).mean() / self._log.width),
            float(np.linalg.norm(drift) / lengths) if lengths > 0 else np.nan,
            float(np.linalg.norm(now - middle, axis=1).mean()),
            float(np.linalg.norm(now, axis=1).mean()),
            np.nan if hidden is None else _cosine(drift, -hidden),
        ])  # fmt: skip
        self._before, self._centre = now, middle

    def series(self) -> Series:
        """Series over the steps, ``[steps]`` each."""
        return _columns(self.NAMES, self._rows)


def comoving(log: Log, chosen: NDArray[np.int64], until: int | None = None) -> Series:
    """Series over the steps, ``[steps]`` each, of the rows with indices ``chosen``."""
    reading = Comoving(log, chosen)
    read(log, chosen, [reading], until)
    return reading.series()


def _columns(names: Sequence[str], rows: list[list[float]]) -> Series:
    return dict(zip(names, np.array(rows).T.reshape(len(names), -1), strict=True))


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    size = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / size) if size > 0 else np.nan


class Lattice:
    """A :class:`~prism.probe.readings.history.Reading` of movements by size."""

    def __init__(self, log: Log) -> None:
        self._local = np.sqrt(log.width)
        self._rows: list[list[float]] = []

    def add(self, moment: Moment) -> None:
        size = np.abs(moment.moved)
        total, largest = size.sum(axis=1), size.max(axis=1)
        length = np.sqrt((size.astype(float) ** 2).sum(axis=1))
        gait = np.select(
            [total == 0, total == 1, largest == 1, length <= self._local], [0, 1, 2, 3], 4
        )
        shares = np.bincount(gait, minlength=5) / len(gait)
        single, more = (size == 1).sum(), (size > 1).sum()
        self._rows.append([float(moment.step), float(single), float(more), *shares.tolist()])

    def series(self) -> Series:
        """Series over the steps: movements by one lattice step and by more, shares of rows by
        gait."""
        return _columns(("step", "single", "more", *GAITS), self._rows)


def lattice(log: Log, chosen: NDArray[np.int64], until: int | None = None) -> Series:
    """The series of :class:`Lattice` of the rows with indices ``chosen``."""
    reading = Lattice(log)
    read(log, chosen, [reading], until)
    return reading.series()


def phases(series: Series) -> dict[str, Any]:
    """Steps at which the cloud of a :func:`lattice` series changes, None = it does not.

    ``takeover``: single steps are most movements from here to the last movement; ``no_jumps``,
    ``no_local``: last step with a jump, or with a row that moved some number by more than one;
    ``still``: last step with any movement.
    """
    step = series["step"].astype(int)
    moving = (series["single"] + series["more"]) > 0
    large = series["more"] >= series["single"]
    last_large = _last(step, large & moving)
    first_after = step[moving & (step > (last_large or 0))]
    return {
        "takeover": int(first_after[0]) if len(first_after) else None,
        "no_jumps": _last(step, series["jump"] > 0),
        "no_local": _last(step, (series["local"] + series["jump"]) > 0),
        "still": _last(step, moving),
        "moves": int(series["single"].sum() + series["more"].sum()),
        "single_share": float(
            series["single"].sum() / max(series["single"].sum() + series["more"].sum(), 1)
        ),
    }


def _last(step: NDArray[np.int64], where: NDArray[np.bool_]) -> int | None:
    found = step[where]
    return int(found[-1]) if len(found) else None
