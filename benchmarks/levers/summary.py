"""Ratios, differences and intervals of the runs in levers.json, paired by seed.

Costs are relative to the baseline of the same seed at its full budget. The target of a seed is the
loss that its baseline ends with. Between two budgets the loss is taken as linear in the logarithm
of the cost; outside of them nothing is extrapolated: a target that the least budget already meets
costs at most that, one that the largest misses is not reached.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from benchmarks.levers.runs import at_one_rate
from benchmarks.page.markdown import interval
from prism.compare.statistics import Estimate, estimate

Row = dict[str, Any]
Cost = Callable[[Row, Row], float]  # of one end of one run

UNITS = ("time", "flops", "tokens")


@dataclass(frozen=True)
class Ratio:
    """Cost to the target over the baseline's cost.

    Attributes:
        value: over the seeds that reach it; None if none does.
        reached, seeds: how many do, of how many.
        at_most: some seed was there at its least budget, so the true ratio is smaller.
    """

    value: Estimate | None
    reached: int
    seeds: int
    at_most: bool

    def within(self, limit: float) -> bool:
        """Whether every seed gets there, at ``limit`` times the baseline's cost on average."""
        return self.reached == self.seeds and self.value.mean <= limit

    @property
    def text(self) -> str:
        """As a cell of a table."""
        if self.value is None:
            return f"not within the budget ({self.seeds} of {self.seeds} seeds)"
        shown = ("≤ " if self.at_most else "") + interval(self.value, "{:.2f}")
        missing = self.seeds - self.reached
        return shown + (f", not within the budget in {missing} of {self.seeds}" if missing else "")


@dataclass(frozen=True)
class Arm:
    """One arm against its baseline.

    Attributes:
        lr: the rate that was best for it.
        ratios: by unit of :data:`UNITS`.
        equal: its final loss minus the baseline's at equal budget; None for the baseline.
        loss: its final loss.
        rows: its runs by seed.
    """

    name: str
    lr: float
    seeds: int
    ratios: dict[str, Ratio]
    equal: Estimate | None
    loss: Estimate
    rows: dict[int, Row]


def finals(content: Row) -> dict[str, dict[int, Row]]:
    """The final runs of a part, by arm and seed.

    Raises:
        ValueError: an arm has some at one rate and some at another.
    """
    by_arm: dict[str, dict[int, Row]] = {}
    for row in content["runs"]:
        if row["phase"] == "final":
            rows = by_arm.setdefault(row.get("arm", ""), {})
            at_one_rate(row.get("arm", ""), [row, *rows.values()])
            rows[row["seed"]] = row
    return by_arm


def arms(content: Row, baseline: str) -> list[Arm]:
    """All arms of growth or selection; seeds without a baseline are left out."""
    runs = finals(content)
    base = runs.get(baseline, {})
    clocks = {r["seed"]: r["seconds"] for r in content["runs"] if r["phase"] == "clock"}
    compared = []
    for name, rows in runs.items():
        seeds = sorted(rows.keys() & base.keys())
        if not seeds:
            continue
        pairs = [(base[s], rows[s]) for s in seeds]
        costs = {unit: _time(clocks) if unit == "time" else _count(unit) for unit in UNITS}
        ratios = {unit: _ratio(pairs, cost) for unit, cost in costs.items()}
        equal = None if name == baseline else difference(rows, base, "loss")
        loss = estimate([rows[s]["loss"] for s in seeds])
        kept = {s: rows[s] for s in seeds}
        compared.append(Arm(name, rows[seeds[0]]["lr"], len(seeds), ratios, equal, loss, kept))
    return compared


def _time(clocks: dict[int, dict[str, float]]) -> Cost:
    """By the clock of the seed; where there is none, the CPU seconds as they ran."""
    if not clocks:
        return _count("cpu_seconds")

    def seconds(run: Row, end: Row) -> float:
        clock = clocks[run["seed"]]
        steps = sum(count * clock[size] for size, count in end["steps"].items())
        return steps + run.get("growth", {}).get("seconds", 0.0)

    return seconds


def _count(unit: str) -> Cost:
    return lambda run, end: end[unit]


def _ratio(pairs: Sequence[tuple[Row, Row]], cost: Cost) -> Ratio:
    values, at_most = [], False
    for base, run in pairs:
        whole = cost(base, base["ends"][-1])
        costs = [cost(run, end) / whole for end in run["ends"]]
        losses = [end["loss"] for end in run["ends"]]
        value = cost_of(base["loss"], costs, losses)
        if value is not None:
            values.append(value)
            at_most |= losses[0] <= base["loss"]
    return Ratio(estimate(values) if values else None, len(values), len(pairs), at_most)


def cost_of(target: float, costs: Sequence[float], losses: Sequence[float]) -> float | None:
    """Least cost at which the loss comes down to ``target``; None if it never does.

    Args:
        target: a loss.
        costs: ascending.
        losses: at these costs.
    """
    if losses[0] <= target:
        return costs[0]
    for i in range(1, len(costs)):
        if losses[i] <= target:
            low, high = math.log(costs[i - 1]), math.log(costs[i])
            part = (losses[i - 1] - target) / (losses[i - 1] - losses[i])
            return math.exp(low + part * (high - low))
    return None


def after_growing(arm: Arm) -> tuple[Estimate, Estimate, Estimate]:
    """Change of the held-out loss by growing, against the small model that went on, same batches.

    Returns:
        over seeds: the jump before any step; the worst difference of a look in the steps after;
        the worst rise of the model that went on above its own start, which the rate causes.
    """
    after = [row["growth"] for row in arm.rows.values()]
    gaps = [[a - b for a, b in zip(g["looks"], g["ungrown"], strict=True)] for g in after]
    jump = estimate([gap[0] for gap in gaps])
    means = [fmean(at) for at in zip(*gaps, strict=True)]
    worst = max(range(len(means)), key=means.__getitem__)
    rises = [max(g["ungrown"]) - g["before"] for g in after]
    return jump, estimate([gap[worst] for gap in gaps]), estimate(rises)


def difference(a: dict[int, Row], b: dict[int, Row], *path: str) -> Estimate | None:
    """A number of the runs ``a`` minus that of ``b``, over the seeds that both have."""
    seeds = sorted(a.keys() & b.keys())
    return estimate([_inside(a[s], path) - _inside(b[s], path) for s in seeds]) if seeds else None


def tuning(content: Row, arm: str) -> dict[float, float]:
    """Losses of one arm on the tuning seed, by rate; infinite where it diverged."""
    return {
        row["lr"]: math.inf if row["loss"] is None else row["loss"]
        for row in content["runs"]
        if row["phase"] == "tuning" and row["arm"] == arm
    }


def mean_of(rows: dict[int, Row], *path: str) -> float:
    """Mean over seeds of a number of the runs, found at ``path`` inside of each."""
    return fmean(_inside(row, path) for row in rows.values())


def _inside(row: Any, path: Sequence[str]) -> float:
    for name in path:
        row = row[name]
    return row
