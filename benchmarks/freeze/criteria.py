"""Acceptance criteria of the study, as they were set before anything was measured."""

from __future__ import annotations

from typing import Any

from benchmarks.freeze.conditions import STARTS
from benchmarks.freeze.effects import Effect, effects, leading, valid
from benchmarks.page.criterion import Criterion, find
from benchmarks.page.markdown import interval

SEEDS = 3  # of the long parts
TEXTS = ("mini_lm", "text")  # of the roundings
P1 = "replay exact at every step of 5,000; the same bytes twice and after a resume"
P2_DEAD = "log of dead rows ≥ 50 times below raw, ≤ 10% of step time"
P2_WHOLE = "log of the table ≥ 10 times below raw from step 300 on, ≤ 10% at ≥ 1,024 tokens a step"
P3 = "AdamW under glass equal to torch's to the bit over 1,000 steps in four forms"
P3_TRACERS = "tracers equal to the live run to the bit"
P4 = "a planted structure recovered exactly, nothing found in noise"
P5 = "the cause of the early freeze and of its permanence, each with an interval over 3 seeds"
P6 = "which starts make equal rows: right, decayed, shuffled and wrong labels, 3 seeds each"
P7 = "10,000 ids in < 60 s, 0 of 10,000 unseen lines wrong"
P8 = "loss of bf16 with stochastic rounding within .01 nats of fp32 masters"


def instrument_criteria(content: dict[str, Any] | None) -> list[Criterion]:
    """P1 to P4; none before anything was measured."""
    if content is None:
        return []
    runs = content["runs"]
    return [
        _replay(find(runs, check="replay")),
        _log("P2, dead rows", P2_DEAD, find(runs, check="dead"), 50),
        _log("P2, whole table", P2_WHOLE, find(runs, check="whole"), 10),
        _adamw(find(runs, check="adamw")),
        _tracers(find(runs, check="dead")),
        _planted(find(runs, check="planted")),
    ]


def ablation_criteria(content: dict[str, Any] | None) -> list[Criterion]:
    """P5: of each measure the largest effect that the seeds support."""
    if content is None:
        return []
    runs = valid(content["runs"])
    if len(runs) < SEEDS:
        return [Criterion("P5", P5)]
    found = effects(runs)
    early, still = leading(found, "early"), leading(found, "still")
    reached = f"early: {_said(early, 'early')}; still frozen: {_said(still, 'still')}"
    return [Criterion("P5", P5, reached, None not in (early, still))]


def starts_criteria(content: dict[str, Any] | None) -> list[Criterion]:
    """P6: the starts after which rows are equal on every seed, by condition."""
    if content is None:
        return []
    said, whole = [], True
    for name in STARTS:
        runs = [r for r in content["runs"] if r["condition"] == name]
        whole = whole and len(runs) >= SEEDS and valid(runs) == runs
        if runs:
            said.append(f"{name}: {', '.join(_clumped(runs)) or 'none'}")
    return [Criterion("P6", P6, "; ".join(said), True if whole else None)]


def _clumped(runs: list[dict[str, Any]]) -> list[str]:
    """Starts after which some rows are equal in each of ``runs``."""
    starts = [r["tracers"]["variants"] for r in runs]
    return [n for n in starts[0] if all(v[n]["crystal"]["classes"] for v in starts)]


def _said(effect: Effect | None, measure: str) -> str:
    if effect is None:
        return "none"
    return f"{effect.label}, {interval(getattr(effect, measure), '{:+.2f}')}"


def _replay(run: dict[str, Any] | None) -> Criterion:
    if run is None:
        return Criterion("P1", P1)
    met = run["exact_steps"] == run["steps"] and run["same_bytes_twice"]
    reached = f"{run['exact_steps']:,} of {run['steps']:,}"
    return Criterion("P1", P1, reached, met and run["same_bytes_resumed"])


def _log(number: str, asks: str, run: dict[str, Any] | None, least: float) -> Criterion:
    if run is None:
        return Criterion(number, asks)
    reached = f"{run['times_below_raw']:.1f} times, {run['share_of_step']:.1%}"
    met = run["times_below_raw"] >= least and run["share_of_step"] <= 0.1
    return Criterion(number, asks, reached, met)


def _adamw(run: dict[str, Any] | None) -> Criterion:
    if run is None:
        return Criterion("P3, AdamW", P3)
    equal = [f["equal_steps"] == f["steps"] for f in run["forms"]]
    return Criterion("P3, AdamW", P3, f"{sum(equal)} of {len(equal)} forms", all(equal))


def _tracers(run: dict[str, Any] | None) -> Criterion:
    if run is None or "tracers" not in run:
        return Criterion("P3, tracers", P3_TRACERS)
    step = run["tracers"]["first_unequal_step"]
    reached = f"all {run['steps']:,} steps" if step is None else f"until step {step:,}"
    return Criterion("P3, tracers", P3_TRACERS, reached, step is None)


def _planted(run: dict[str, Any] | None) -> Criterion:
    if run is None:
        return Criterion("P4", P4)
    plan, found, noise = run["planted"], run["found"], run["noise"]
    right = (
        found["class_sizes"] == plan["classes"]
        and found["neighbours"] == plan["neighbours"]
        and [c for c, _ in found["component_sizes"]] == [plan["component"]]
    )
    nothing = noise["classes"] == noise["neighbours"] == 0
    reached = f"{found['classes']} classes, {found['neighbours']} pairs; noise: {noise['classes']}"
    return Criterion("P4", P4, reached, right and nothing)


def tokenizer_criteria(content: dict[str, Any] | None) -> list[Criterion]:
    """P7; none before anything was measured."""
    if content is None:
        return []
    (run,) = content["runs"]
    reached = (
        f"{run['seconds']['wall']:.0f} s, {run['wrong_lines']} of "
        f"{run['unseen_lines']:,} wrong, {run['live'] / run['ids']:.0%} live"
    )
    met = run["seconds"]["wall"] < 60 and run["wrong_lines"] == 0
    return [Criterion("P7", P7, reached, met if run["unseen_lines"] >= 10_000 else None)]


def rounding_criteria(content: dict[str, Any] | None) -> list[Criterion]:
    """P8, on each text; none before anything was measured."""
    if content is None:
        return []
    return [_rounded(text, content["runs"]) for text in TEXTS]


def _rounded(text: str, runs: list[dict[str, Any]]) -> Criterion:
    """The loss of each seed with stochastic rounding less that with masters."""
    loss = {
        kind: {r["seed"]: r["held_out_loss"] for r in runs if r["condition"] == f"{text} {kind}"}
        for kind in ("stochastic", "masters")
    }
    seeds = sorted(loss["stochastic"].keys() & loss["masters"].keys())
    if not seeds:
        return Criterion(f"P8, {text}", P8)
    away = [loss["stochastic"][seed] - loss["masters"][seed] for seed in seeds]
    met = sum(away) / len(away) <= 0.01 if len(away) >= SEEDS else None
    return Criterion(f"P8, {text}", P8, interval(away, "{:+.4f}"), met)
