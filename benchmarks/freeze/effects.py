"""Effects of the factors of the ablation: what freezes the cloud early, and what keeps it frozen.

Two variants are a pair if their names differ in one word. The effect of that word is the mean of
the differences over all pairs, one number a seed, with the interval over the seeds:

    early     share of the numbers that have moved for the last time by a tenth of the run
    still     share of the numbers that move at a step, over the last tenth of the run
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import mean
from typing import Any

from benchmarks.page.markdown import interval, table
from prism.compare.statistics import Estimate, estimate

FACTORS = {
    "rounding of weights: nearest to stochastic": ("near", "stoch"),
    "moments: bf16 to fp32": ("m16", "m32"),
    "weights: bf16 to fp32": ("w16", "w32"),
    "beta2: .999 to .99": ("b2=.999", "b2=.99"),
    "rate: 1e-3 to 3e-4": ("lr=1", "lr=.3"),
    "decay: 0 to .1": ("wd=0", "wd=.1"),
}
EARLY = 0.1


def valid(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The runs whose live copy equals the run to the bit; the figures of the others are void."""
    return [run for run in runs if run["tracers"]["equal_to_the_bit"]]


def early(tracers: dict[str, Any], name: str) -> float:
    """Share frozen by a tenth of the run."""
    step = EARLY * (tracers["step"] - tracers["first"])
    at = max(i for i, t in enumerate(tracers["times"]) if t <= step)
    return 1.0 - tracers["variants"][name]["curve"][at]


def still(tracers: dict[str, Any], name: str) -> float:
    """Share that moves at a step of the last tenth."""
    found = tracers["variants"][name]
    causes, numbers = found["causes"], found["freezing"]["numbers"]
    begin = tracers["step"] - tracers["first"] - EARLY * (tracers["step"] - tracers["first"])
    late = [i for i, end in enumerate(tracers["windows"]) if end > begin]
    noted = sum(causes["noted"][i] for i in late)
    return sum(causes["moved"][i] for i in late) / max(noted * numbers, 1)


def pairs(names: list[str], a: str, b: str) -> list[tuple[str, str]]:
    """Names with the word ``a``, and with ``b`` in its place."""
    made = [(n, " ".join(b if word == a else word for word in n.split())) for n in names]
    return [(n, other) for n, other in made if n != other and other in names]


@dataclass(frozen=True)
class Effect:
    """Effect of one factor over the seeds: its name, its pairs, and both measures."""

    label: str
    pairs: int
    early: Estimate
    still: Estimate


def effects(runs: list[dict[str, Any]]) -> list[Effect]:
    """The effect of each factor on both, over the seeds of ``runs``."""
    found, tracers = [], [run["tracers"] for run in runs]
    for label, (a, b) in FACTORS.items():
        if not (alike := pairs(list(tracers[0]["variants"]), a, b)):
            continue
        both = [
            estimate([mean(of(t, y) - of(t, x) for x, y in alike) for t in tracers])
            for of in (early, still)
        ]
        found.append(Effect(label, len(alike), *both))
    return found


def leading(found: list[Effect], measure: str) -> Effect | None:
    """The largest effect on ``measure`` among those whose interval excludes 0."""
    sure = [e for e in found if _excludes_zero(getattr(e, measure))]
    return max(sure, key=lambda e: abs(getattr(e, measure).mean), default=None)


def _excludes_zero(value: Estimate) -> bool:
    return value.half_width is not None and abs(value.mean) > value.half_width


def effects_table(runs: list[dict[str, Any]]) -> str:
    """:func:`effects` as a table."""
    rows = [
        [e.label, f"{e.pairs}", *(interval(x, "{:+.3f}") for x in (e.early, e.still))]
        for e in effects(runs)
    ]
    head = ["change", "pairs", "frozen by a tenth of the run", "moving in its last tenth"]
    return table(head, rows)
