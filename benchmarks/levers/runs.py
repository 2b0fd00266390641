"""Runs of the lever benchmark on disk, and the search for each arm's learning rate.

One file with an entry per part (:class:`prism.record.ResultsFile`). The key of a run is its phase,
arm, rate, seed, and whatever else distinguishes it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from prism.config import PrismConfig
from prism.former_names import check_architecture
from prism.record import ResultsFile

Row = dict[str, Any]

FURTHER = 2  # rates beyond the given ones


def _current_config(value: Row) -> Row:
    """A config with today's names of its fields; any other JSON object as it is.

    Raises:
        ValueError: a config of an earlier architecture.
    """
    if not {"vocab_size", "expert_kinds"} <= value.keys():
        return value
    check_architecture(value, "runs")
    return PrismConfig.from_dict(value).to_dict()


class Runs(ResultsFile):
    """The runs of one part of the benchmark.

    Args:
        path: of the file; may not exist yet.
        part: name of the part.
        meta: provenance of this start.
        sizes: whatever the runs depend on beside their keys, as JSON.
        say: takes a line about each run.

    Raises:
        ValueError: the file is not a results file, or holds runs of other sizes.
    """

    def __init__(
        self, path: Path, part: str, meta: Row, sizes: Row, say: Callable[[str], None]
    ) -> None:
        super().__init__(path, meta, sizes, part)
        self._say = say

    def _check(self, kept: Row, wanted: Row) -> None:
        current = json.loads(json.dumps(kept), object_hook=_current_config)
        super()._check(json.loads(json.dumps(current)), wanted)

    def once(self, key: Mapping[str, Any], run: Callable[[], Row]) -> Row:
        """As in the base class. A diverged tuning run is kept with the loss None: the search goes
        on without its rate.

        Raises:
            ValueError: the loss of any other run is not finite.
        """
        row = self.find(key)
        if row is not None:
            return row
        row = {**key, **run()}
        if not math.isfinite(row.get("loss", 0.0)):
            if key["phase"] != "tuning":
                raise ValueError(f"{self.part}: {dict(key)}: the loss is {row['loss']}")
            row = {**key, "loss": None}
        self.add(row)
        shown = ", ".join(f"{name} {value}" for name, value in key.items())
        self._say(f"{self.part}: {shown}: {row.get('loss', row.get('seconds', 'done'))}")
        return row


def tuned(runs: Runs, arm: str, rates: list[float], run: Callable[[float], Row]) -> float:
    """The rate at which ``arm`` ends with the least loss on the tuning seed.

    Where the best of ``rates`` is their largest or least, twice or half of it is tried as well,
    until both neighbours of the best are worse, ``FURTHER`` times at most. One rate is taken as is.
    """
    losses: dict[float, float] = {}
    ahead = list(rates)
    while ahead:
        rate = ahead.pop(0)
        key = {"phase": "tuning", "arm": arm, "lr": rate}
        loss = runs.once(key, lambda rate=rate: run(rate))["loss"]
        losses[rate] = math.inf if loss is None else loss
        best = min(losses, key=losses.__getitem__)
        if not ahead and 1 < len(losses) < len(rates) + FURTHER:
            ahead += [2 * best] * (best == max(losses)) + [best / 2] * (best == min(losses))
    return best


def tuned_arms(
    runs: Runs, arms: Sequence[str], rates: list[float], run: Callable[[str, float], Row]
) -> dict[str, float]:
    """By arm the rate at which it is best, from runs by ``run(arm, rate)``."""
    return {arm: tuned(runs, arm, rates, lambda rate, arm=arm: run(arm, rate)) for arm in arms}


def at_one_rate(arm: str, rows: Sequence[Row]) -> None:
    """Nothing, if all ``rows`` of ``arm`` are at one rate.

    Raises:
        ValueError: they are not, as when rates are added to a search that was over.
    """
    rates = sorted({row["lr"] for row in rows})
    if len(rates) > 1:
        raise ValueError(f"runs of {arm or 'the part'} at rates {rates}: must be at one")


def every_seed(
    runs: Runs,
    rates: Mapping[str, float],
    seeds: int,
    run: Callable[[str, float, int], Row],
    more: Callable[[str], Row] = lambda arm: {},
) -> None:
    """Seed by seed, every arm of ``rates`` at its rate, by ``run(arm, rate, seed)``; ``more(arm)``
    is what else the key of its runs says."""
    for seed in range(seeds):
        for arm, rate in rates.items():
            runs.once(
                {"phase": "final", "arm": arm, "seed": seed, "lr": rate, **more(arm)},
                lambda arm=arm, rate=rate, seed=seed: run(arm, rate, seed),
            )
