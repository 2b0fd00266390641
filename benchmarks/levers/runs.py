"""Every run of the lever benchmark, on disk as soon as it is over.

``{"growth": {"meta": ..., "sizes": ..., "runs": [...]}, ...}``, one entry per part. A run is known
by its key (phase, arm, rate, seed, and what else tells it from others). A run that is in the file
is not run again, so an interrupted benchmark goes on where it stopped.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from prism import whole_file
from prism.compare.meta import now

Row = dict[str, Any]

FURTHER = 2  # rates beyond the given ones


class Runs:
    """The runs of one part in one file.

    Args:
        path: of the file; may not exist yet.
        part: name of the part.
        meta: where and with what, as of this start; that of an earlier start is replaced.
        sizes: all that the runs depend on but their keys, as JSON.
        say: takes a line about each run.

    Raises:
        ValueError: the file is no such file, or holds runs of something else.
    """

    def __init__(
        self, path: Path, part: str, meta: Row, sizes: Row, say: Callable[[str], None]
    ) -> None:
        self.path, self.part, self._say = path, part, say
        self.content = read(path) if path.exists() else {}
        mine = self.content.setdefault(part, {"sizes": sizes, "runs": []})
        if json.loads(json.dumps(sizes)) != json.loads(json.dumps(mine["sizes"])):
            raise ValueError(
                f"{path}: holds runs of {part} with other sizes or text; must be of the same, or "
                "give another --out"
            )
        mine["meta"] = meta

    @property
    def rows(self) -> list[Row]:
        """All runs of the part that are over."""
        return self.content[self.part]["runs"]

    def once(self, key: Mapping[str, Any], run: Callable[[], Row]) -> Row:
        """The run of this key: as it is in the file, else ``run()``, which is then written."""
        for row in self.rows:
            if all(row.get(name) == value for name, value in key.items()):
                return row
        row = {**key, **run()}
        if not math.isfinite(row.get("loss", 0.0)):
            if key["phase"] != "tuning":
                raise ValueError(f"{self.part}: {dict(key)}: the loss is {row['loss']}")
            row = {**key, "loss": None}  # the search goes by without this rate
        self.rows.append(row)
        self.content[self.part]["meta"]["finished"] = now()
        whole_file.write(self.path, json.dumps(self.content, indent=1, allow_nan=False) + "\n")
        shown = ", ".join(f"{name} {value}" for name, value in key.items())
        self._say(f"{self.part}: {shown}: {row.get('loss', row.get('seconds', 'done'))}")
        return row


def read(path: Path) -> Row:
    """The content of a file of runs.

    Raises:
        ValueError: it is no JSON object.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: {error}; must be a file that benchmarks.levers wrote") from error
    if not isinstance(content, dict) or any("runs" not in part for part in content.values()):
        raise ValueError(f"{path}: must be a file that benchmarks.levers wrote")
    return content


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
