"""The bars of the levers: what levers.json says about each."""

from __future__ import annotations

import dataclasses
from typing import Any

from benchmarks.levers.curriculum import ANNEALED, CONSTANT, COST, ELSEWHERE, SKILL, SPREAD
from benchmarks.levers.modular import with_better_joint
from benchmarks.levers.selection import ALL, EXCESS, STAGE
from benchmarks.levers.summary import Arm, after_growing, arms, difference, finals
from benchmarks.page.bars import NOT_MEASURED, Bar
from benchmarks.page.markdown import interval
from prism.compare.statistics import Estimate, estimate

SEEDS = 5  # at least, for a verdict
TIME, TIME_HIGH = 0.70, 0.80
SPIKE = 0.02
OURS = ("exact depth", "exact width", "stack")
EXACT = ("exact depth", "exact width")
FEWER = 0.90
BETTER = 0.05
INTERFERENCE, CLOSED, PATH, TOTAL = 0.05, 0.90, 0.50, 1.10


def levers_bars(content: dict[str, Any]) -> list[Bar]:
    """The bars, from the content of levers.json; a quick run meets and misses none."""
    found = []
    for name, bars_of in PARTS.items():
        part = content.get(name)
        bars = bars_of(part)
        if part is not None and part["meta"]["profile"] != "full":
            bars = [dataclasses.replace(bar, met=None) for bar in bars]
        found += bars
    return found


def _judged(seeds: int, met: bool) -> bool | None:
    return met if seeds >= SEEDS else None


def _growth(part: dict[str, Any] | None) -> list[Bar]:
    found = {} if part is None else {arm.name: arm for arm in arms(part, "scratch")}
    bars = []
    for name in OURS:
        asks = f"{name}: time to scratch's final loss ≤ {TIME:.2f} ×, upper end < {TIME_HIGH:.2f}"
        no_worse = f"{name}: at equal time the final loss is no worse"
        if name not in found:
            bars += [Bar("1", asks, NOT_MEASURED, None), Bar("1", no_worse, NOT_MEASURED, None)]
            continue
        arm = found[name]
        ratio, equal = arm.ratios["time"], arm.equal
        met = ratio.within(TIME) and ratio.value.high < TIME_HIGH
        bars += [
            Bar("1", asks, ratio.text, _judged(arm.seeds, met)),
            Bar("1", no_worse, interval(equal, "{:+.3f}"), _judged(arm.seeds, equal.mean <= 0)),
        ]
    for name in EXACT:
        bars += _after(name, found.get(name))
    return bars


def _after(name: str, arm: Arm | None) -> list[Bar]:
    spikes = f"{name}: held-out loss above that without growing by ≤ {SPIKE} in the next 100 steps"
    dead = f"{name}: new weights without a gradient after 2 steps = 0"
    if arm is None:
        return [Bar("2", spikes, NOT_MEASURED, None), Bar("2", dead, NOT_MEASURED, None)]
    _, worst, _ = after_growing(arm)
    left = max(sum(row["growth"]["dead"].values()) for row in arm.rows.values())
    shown = f"{interval(worst, '{:+.3f}')} at the worst look"
    return [
        Bar("2", spikes, shown, _judged(arm.seeds, worst.mean <= SPIKE)),
        Bar("2", dead, f"{left:,}", _judged(arm.seeds, left == 0)),
    ]


def _modular(part: dict[str, Any] | None) -> list[Bar]:
    asks = (
        f"assembled within {INTERFERENCE} nats of the best single part on each domain",
        f"gate calibration closes ≥ {CLOSED:.0%} of the gap to joint training",
        f"critical path with three workers ≤ {PATH:.2f} × joint (time)",
        f"all FLOPs ≤ {TOTAL:.2f} × joint",
    )
    rows = [] if part is None else list(with_better_joint(part).values())
    if not rows:
        return [Bar("3", what, NOT_MEASURED, None) for what in asks]
    seen = [row["measures"] for row in rows]
    numbers = (
        ([m["worst_interference"] for m in seen], "{:+.3f}", lambda e: e.mean <= INTERFERENCE),
        ([m["closed"] for m in seen], "{:.2f}", lambda e: e.mean >= CLOSED),
        ([m["critical_path"]["seconds"] for m in seen], "{:.2f}", lambda e: e.mean <= PATH),
        ([m["total"]["flops"] for m in seen], "{:.2f}", lambda e: e.mean <= TOTAL),
    )
    bars = []
    for what, (values, form, holds) in zip(asks, numbers, strict=True):
        value = estimate(values)
        bars.append(Bar("3", what, interval(value, form), _judged(value.n, holds(value))))
    return bars


def _selection(part: dict[str, Any] | None) -> list[Bar]:
    found = {} if part is None else {arm.name: arm for arm in arms(part, ALL)}
    bars = []
    for name in (EXCESS, STAGE):
        fewer = f"{name}: ≥ {1 - FEWER:.0%} fewer tokens to equal unweighted loss, noisy text"
        worse = f"{name}: never worse at the end (upper end ≤ 0)"
        if name not in found:
            bars += [Bar("4", fewer, NOT_MEASURED, None), Bar("4", worse, NOT_MEASURED, None)]
            continue
        arm = found[name]
        ratio = arm.ratios["tokens"]
        bars += [
            Bar("4", fewer, ratio.text, _judged(arm.seeds, ratio.within(FEWER))),
            Bar(
                "4",
                worse,
                interval(arm.equal, "{:+.3f}"),
                _judged(arm.seeds, arm.equal.high <= 0),
            ),
        ]
    return bars


def _curriculum(part: dict[str, Any] | None) -> list[Bar]:
    runs = {} if part is None else finals(part)
    bars = []
    for base in (CONSTANT, SPREAD):
        for domain, limit, words in (
            (SKILL, -BETTER, f"better by ≥ {BETTER}"),
            (ELSEWHERE, COST, f"worse by ≤ {COST}"),
        ):
            asks = f"annealed against {base}: {domain} {words} at equal tokens"
            value = difference(runs.get(ANNEALED, {}), runs.get(base, {}), domain)
            bars.append(_within(asks, value, limit))
    return bars


def _within(asks: str, value: Estimate | None, limit: float) -> Bar:
    if value is None:
        return Bar("4", asks, NOT_MEASURED, None)
    return Bar("4", asks, interval(value, "{:+.4f}"), _judged(value.n, value.mean <= limit))


PARTS = {"growth": _growth, "modular": _modular, "selection": _selection, "curriculum": _curriculum}
