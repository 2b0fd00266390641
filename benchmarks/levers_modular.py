"""Do parts that were trained apart make one model, without training them together?

The study itself is :mod:`prism.modular_study`: a trunk, three kinds trained alone against it, their
assembly, its gates calibrated, and a joint run on as many tokens. Here it is run at its best rates
and seed by seed. Rates are chosen on tuning seeds, where everything is run at one rate after the
other: that of the joint run, which is the baseline, by its loss, that of the trunk by its own, that
of the parts by the loss of their assembly. There is more than one, as a joint run may fail to learn
a domain by bad luck.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from benchmarks.levers_runs import Row, Runs
from benchmarks.levers_text import Text
from prism.modular_study.experiment import Sizes as StudySizes
from prism.modular_study.experiment import experiment

DECIDES = {"lr": "joint", "trunk_lr": "trunk", "part_lr": "assembled"}  # rate: whose loss


@dataclass(frozen=True)
class Sizes:
    """What is measured: ``study`` as the study has it, but for the rates tried on both sides."""

    study: StudySizes
    rates: tuple[float, ...]
    tuning_seeds: tuple[int, ...]


def measure(text: Text, sizes: Sizes, runs: Runs, seeds: int) -> None:
    """All runs, tuning first, then seed by seed; the study brings domains of its own."""
    tried = []
    for seed in sizes.tuning_seeds:
        for rate in sizes.rates:
            row = runs.once(
                {"phase": "tuning", "seed": seed, **dict.fromkeys(DECIDES, rate)},
                lambda seed=seed, rate=rate: run(sizes, seed, dict.fromkeys(DECIDES, rate)),
            )
            tried.append(row)
    rates = {name: best(tried, name) for name in DECIDES}
    for seed in range(seeds):
        runs.once(
            {"phase": "final", "seed": seed, **rates},
            lambda seed=seed: run(sizes, seed, rates),
        )


def best(tried: Sequence[Row], name: str) -> float:
    """The rate ``name`` at which the model that it decides about was best, over the seeds."""
    losses: dict[float, list[float]] = {}
    for row in tried:
        losses.setdefault(row[name], []).append(row["measures"]["mean"][DECIDES[name]])
    return min(losses, key=lambda rate: fmean(losses[rate]))


def run(sizes: Sizes, seed: int, rates: dict[str, float]) -> Row:
    """One seed: ``losses, cost, measures, parameters`` of the study and ``loss``, the joint one."""
    study = dataclasses.replace(sizes.study, **rates)
    result: dict[str, Any] = experiment(seed, study)
    kept = ("losses", "cost", "measures", "parameters")
    return {"loss": result["measures"]["mean"]["joint"]} | {name: result[name] for name in kept}
