"""Acceptance criteria of the training methods, from their parts of levers.json."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.levers.curriculum import ANNEALED, CONSTANT, COST, ELSEWHERE, SKILL, SPREAD
from benchmarks.levers.modular import with_better_joint
from benchmarks.levers.selection import ALL, EXCESS, STAGE
from benchmarks.levers.summary import Arm, Ratio, after_growing, arms, difference, finals
from benchmarks.page.criterion import Criterion, on_seeds
from prism.compare.statistics import Estimate, estimate

SEEDS = 5  # at least, for a verdict
TIME, TIME_HIGH = 0.70, 0.80
SPIKE = 0.02
EXACT = ("exact depth", "exact width")
OURS = ("exact depth", "exact width", "stack")
FEWER = 0.90
BETTER = 0.05
INTERFERENCE, CLOSED, PATH, TOTAL = 0.05, 0.90, 0.50, 1.10

Part = dict[str, Any] | None


def growth(part: Part) -> list[Criterion]:
    """Time to scratch's loss, loss at equal time, and the state right after growing."""
    by_name = _by_name(part, "scratch")
    criteria = []

    def in_time(ratio: Ratio) -> bool:
        return ratio.within(TIME) and ratio.value.high < TIME_HIGH

    for name in OURS:
        asks = f"{name}: time to scratch's final loss ≤ {TIME:.2f} ×, upper end < {TIME_HIGH:.2f}"
        worse = f"{name}: at equal time the final loss is no worse"
        criteria += [
            _cost("1", asks, by_name.get(name), "time", in_time),
            _equal("1", worse, by_name.get(name), lambda loss: loss.mean <= 0),
        ]
    for name in EXACT:
        criteria += _after(name, by_name.get(name))
    return criteria


def selection(part: Part) -> list[Criterion]:
    """Tokens to the loss without selection, and loss at equal tokens."""
    by_name = _by_name(part, ALL)
    criteria = []
    for name in (EXCESS, STAGE):
        fewer = f"{name}: ≥ {1 - FEWER:.0%} fewer tokens to equal unweighted loss, noisy text"
        worse = f"{name}: never worse at the end (upper end ≤ 0)"
        criteria += [
            _cost("4", fewer, by_name.get(name), "tokens", lambda ratio: ratio.within(FEWER)),
            _equal("4", worse, by_name.get(name), lambda loss: loss.high <= 0),
        ]
    return criteria


def curriculum(part: Part) -> list[Criterion]:
    """Gain on the skill and cost elsewhere of annealing, against both constant shares."""
    runs = {} if part is None else finals(part)
    limits = {SKILL: (-BETTER, f"better by ≥ {BETTER}"), ELSEWHERE: (COST, f"worse by ≤ {COST}")}
    return [
        on_seeds(
            "4",
            f"annealed against {base}: {domain} {words} at equal tokens",
            difference(runs.get(ANNEALED, {}), runs.get(base, {}), "domains", domain),
            "{:+.4f}",
            lambda loss, limit=limit: loss.mean <= limit,
            SEEDS,
        )
        for base in (CONSTANT, SPREAD)
        for domain, (limit, words) in limits.items()
    ]


def modular(part: Part) -> list[Criterion]:
    """Interference of the branches, the gap to the joint run, and the cost of training apart."""
    rows = [] if part is None else list(with_better_joint(part).values())
    seen = [row["measures"] for row in rows]
    asked: tuple[tuple[str, list[float], str, Callable[[Estimate], bool]], ...] = (
        (
            f"assembled within {INTERFERENCE} nats of the best single branch on each domain",
            [m["worst_interference"] for m in seen],
            "{:+.3f}",
            lambda value: value.mean <= INTERFERENCE,
        ),
        (
            f"gate calibration closes ≥ {CLOSED:.0%} of the gap to joint training",
            [m["closed"] for m in seen],
            "{:.2f}",
            lambda value: value.mean >= CLOSED,
        ),
        (
            f"critical path with three workers ≤ {PATH:.2f} × joint (time)",
            [m["critical_path"]["seconds"] for m in seen],
            "{:.2f}",
            lambda value: value.mean <= PATH,
        ),
        (
            f"all FLOPs ≤ {TOTAL:.2f} × joint",
            [m["total"]["flops"] for m in seen],
            "{:.2f}",
            lambda value: value.mean <= TOTAL,
        ),
    )
    return [
        on_seeds("3", asks, estimate(values) if values else None, form, holds, SEEDS)
        for asks, values, form, holds in asked
    ]


def _by_name(part: Part, baseline: str) -> dict[str, Arm]:
    return {} if part is None else {arm.name: arm for arm in arms(part, baseline)}


def _cost(
    number: str, asks: str, arm: Arm | None, unit: str, holds: Callable[[Ratio], bool]
) -> Criterion:
    if arm is None:
        return Criterion(number, asks)
    ratio = arm.ratios[unit]
    return Criterion(number, asks, ratio.text, holds(ratio) if arm.seeds >= SEEDS else None)


def _equal(number: str, asks: str, arm: Arm | None, holds: Callable[[Estimate], bool]) -> Criterion:
    return on_seeds(number, asks, None if arm is None else arm.equal, "{:+.3f}", holds, SEEDS)


def _after(name: str, arm: Arm | None) -> list[Criterion]:
    """No spike in the loss after growing, and a gradient for every new weight."""
    spikes = f"{name}: held-out loss above that without growing by ≤ {SPIKE} in the next 100 steps"
    dead = f"{name}: new weights without a gradient after 2 steps = 0"
    if arm is None:
        return [Criterion("2", spikes), Criterion("2", dead)]
    _, worst, _ = after_growing(arm)
    left = max(sum(row["growth"]["dead"].values()) for row in arm.rows.values())
    form = "{:+.3f}"
    spike = on_seeds("2", spikes, worst, form, lambda loss: loss.mean <= SPIKE, SEEDS)
    met = left == 0 if arm.seeds >= SEEDS else None
    at = f"{spike.reached} at the worst evaluation"
    return [Criterion("2", spikes, at, spike.met), Criterion("2", dead, f"{left:,}", met)]
