"""Do parts that were trained apart make one model, without training them together?

The study itself is :mod:`prism.modular_study`: a trunk, three kinds trained alone against it, their
assembly, its gates calibrated, and a joint run on as many tokens. Here it is run at its best rates
and seed by seed. Rates are chosen on the tuning seed: that of trunk and joint run by the loss of
the joint run, which is the baseline, that of the parts by the loss of their assembly.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from benchmarks.levers_runs import Row, Runs
from benchmarks.levers_text import Text
from prism.modular_study.experiment import Sizes as StudySizes
from prism.modular_study.experiment import experiment


@dataclass(frozen=True)
class Sizes:
    """What is measured: ``study`` as the study has it, but for the rates tried on both sides."""

    study: StudySizes
    rates: tuple[float, ...]
    tuning_seed: int


def measure(text: Text, sizes: Sizes, runs: Runs, seeds: int) -> None:
    """All runs, tuning first, then seed by seed; the study brings domains of its own."""
    joint, apart = {}, {}
    for rate in sizes.rates:
        row = runs.once(
            {"phase": "tuning", "lr": rate, "part_lr": rate},
            lambda rate=rate: run(sizes, sizes.tuning_seed, rate, rate),
        )
        joint[rate] = row["measures"]["mean"]["joint"]
        apart[rate] = row["measures"]["mean"]["assembled"]
    best, best_part = min(joint, key=joint.__getitem__), min(apart, key=apart.__getitem__)
    for seed in range(seeds):
        runs.once(
            {"phase": "final", "seed": seed, "lr": best, "part_lr": best_part},
            lambda seed=seed: run(sizes, seed, best, best_part),
        )


def run(sizes: Sizes, seed: int, rate: float, part_rate: float) -> Row:
    """One seed: ``losses, cost, measures, parameters`` of the study and ``loss``, the joint one."""
    study = dataclasses.replace(sizes.study, lr=rate, part_lr=part_rate)
    result: dict[str, Any] = experiment(seed, study)
    kept = ("losses", "cost", "measures", "parameters")
    return {"loss": result["measures"]["mean"]["joint"]} | {name: result[name] for name in kept}
