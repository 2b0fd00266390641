"""Modular phases: branches trained apart and assembled, against one joint run.

The study itself is :mod:`prism.studies.modular`: a backbone, three kinds trained alone against it,
their assembly, its gates calibrated, and a joint run that costs as many FLOPs. Here it is run at
the best of a few rates and seed by seed. Rates are chosen on tuning seeds, where everything is run
at one rate after the other: that of the joint run, which is the baseline, by its loss, that of the
backbone by its own, that of the branches by the loss of their assembly. A joint run may still fail
to learn a domain: on every seed it is run at its second best rate as well, and the better one
counts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from benchmarks.levers.runs import Row, Runs
from benchmarks.levers.summary import finals
from benchmarks.levers.text import Text
from prism.modular.backbone import UNIT_INPUT_RATE
from prism.modular.output_penalty import OUT_OF_DOMAIN_FACTOR, OUTPUT_PENALTY
from prism.studies.modular.experiment import QUICK, StudySizes, experiment, joint_run
from prism.studies.modular.measures import measures

AGAIN = "joint again"
DECIDES = {"lr": "joint", "trunk_lr": "trunk", "part_lr": "assembled"}  # rate: whose loss


@dataclass(frozen=True)
class ModularSizes:
    """Sizes to measure at: those of the study, the rates tried, and penalty weights and the
    rate factor of the branches, so that runs with other ones are not taken for these."""

    study: StudySizes
    rates: tuple[float, ...]
    tuning_seeds: tuple[int, ...]
    speech_cost: float = OUTPUT_PENALTY
    guest_cost: float = OUT_OF_DOMAIN_FACTOR
    lane_rate: float = UNIT_INPUT_RATE


SIZES = {
    "full": ModularSizes(
        study=StudySizes(), rates=(0.0015, 0.003, 0.006), tuning_seeds=(1000, 1001)
    ),
    "quick": ModularSizes(study=QUICK, rates=(0.006,), tuning_seeds=(1000,)),
}


def measure(text: Text, sizes: ModularSizes, runs: Runs, seeds: int) -> None:
    """All runs, tuning first, then seed by seed; the study brings domains of its own."""
    tried = []
    for seed in sizes.tuning_seeds:
        for rate in sizes.rates:
            row = runs.once(
                {"phase": "tuning", "seed": seed, **dict.fromkeys(DECIDES, rate)},
                lambda seed=seed, rate=rate: run(sizes, seed, dict.fromkeys(DECIDES, rate)),
            )
            tried.append(row)
    rates = {name: ranked(tried, name)[0] for name in DECIDES}
    for seed in range(seeds):
        runs.once(
            {"phase": "final", "seed": seed, **rates}, lambda seed=seed: run(sizes, seed, rates)
        )
    if second := ranked(tried, "lr")[1:2]:
        for seed in range(seeds):
            runs.once(
                {"phase": AGAIN, "seed": seed, "lr": second[0]},
                lambda seed=seed: joint_run(seed, dataclasses.replace(sizes.study, lr=second[0])),
            )


def ranked(tried: Sequence[Row], name: str) -> list[float]:
    """The rates ``name``, best first, by the model that they decide about, over the seeds."""
    losses: dict[float, list[float]] = {}
    for row in tried:
        losses.setdefault(row[name], []).append(row["measures"]["mean"][DECIDES[name]])
    return sorted(losses, key=lambda rate: fmean(losses[rate]))


def with_better_joint(part: Row) -> dict[int, Row]:
    """The final runs by seed; where the second joint run is the better one, with that."""
    again = {row["seed"]: row for row in part["runs"] if row["phase"] == AGAIN}
    rows = {}
    for seed, row in finals(part).get("", {}).items():
        other = again.get(seed)
        if other is not None and fmean(other["losses"].values()) < row["loss"]:
            losses = row["losses"] | {"joint": other["losses"]}
            # the cost stays: the same shapes, and seconds of one hour are compared with each other
            measured = measures(losses, row["cost"])
            row = row | {"losses": losses, "measures": measured, "loss": measured["mean"]["joint"]}
        rows[seed] = row
    return rows


def run(sizes: ModularSizes, seed: int, rates: dict[str, float]) -> Row:
    """One seed: ``losses, cost, measures, parameters`` of the study and ``loss``, the joint one."""
    study = dataclasses.replace(sizes.study, **rates)
    result: dict[str, Any] = experiment(seed, study)
    kept = ("losses", "cost", "measures", "parameters")
    return {"loss": result["measures"]["mean"]["joint"]} | {name: result[name] for name in kept}
