"""Do parts that were trained apart make one model, without training them together?

The study itself is :mod:`prism.modular_study`: a trunk, three kinds trained alone against it, their
assembly, its gates calibrated, and a joint run on as many tokens. Here it is run at its best rates
and seed by seed. Rates are chosen on the tuning seed, where everything is run at one rate after the
other: that of the joint run, which is the baseline, by its loss, that of the trunk by its own, that
of the parts by the loss of their assembly.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
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
    tuning_seed: int


def measure(text: Text, sizes: Sizes, runs: Runs, seeds: int) -> None:
    """All runs, tuning first, then seed by seed; the study brings domains of its own."""
    tried = []
    for rate in sizes.rates:
        row = runs.once(
            {"phase": "tuning", "lr": rate, "trunk_lr": rate, "part_lr": rate},
            lambda rate=rate: run(sizes, sizes.tuning_seed, dict.fromkeys(DECIDES, rate)),
        )
        tried.append(row)
    rates = {name: best(tried, name) for name in DECIDES}
    for seed in range(seeds):
        runs.once(
            {"phase": "final", "seed": seed, **rates},
            lambda seed=seed: run(sizes, seed, rates),
        )


def best(tried: list[Row], name: str) -> float:
    """The rate ``name`` of the run in which the model that it decides about was best."""
    return min(tried, key=lambda row: row["measures"]["mean"][DECIDES[name]])[name]


def run(sizes: Sizes, seed: int, rates: dict[str, float]) -> Row:
    """One seed: ``losses, cost, measures, parameters`` of the study and ``loss``, the joint one."""
    study = dataclasses.replace(sizes.study, **rates)
    result: dict[str, Any] = experiment(seed, study)
    kept = ("losses", "cost", "measures", "parameters")
    return {"loss": result["measures"]["mean"]["joint"]} | {name: result[name] for name in kept}
