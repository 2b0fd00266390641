"""The joint run of a seed is the better of two, and the rates are ranked over all tuning seeds."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.levers.modular import AGAIN, ranked, with_better_joint
from prism.studies.modular.experiment import QUICK, experiment, measures


@pytest.fixture(scope="module")
def study() -> dict[str, Any]:
    result = experiment(0, QUICK)
    kept = {name: result[name] for name in ("losses", "cost", "measures")}
    return {
        "phase": "final",
        "seed": 0,
        "lr": 0.2,
        "loss": result["measures"]["mean"]["joint"],
        **kept,
    }


def part(study: dict[str, Any], by: float) -> dict[str, Any]:
    """One seed whose second joint run is ``by`` nats above its first."""
    joint = {domain: loss + by for domain, loss in study["losses"]["joint"].items()}
    again = {"phase": AGAIN, "seed": 0, "lr": 0.1, "losses": joint, "cost": study["cost"]["joint"]}
    return {"runs": [study, again]}


def test_a_better_second_run_takes_the_place_of_the_first(study):
    row = with_better_joint(part(study, -0.5))[0]
    assert row["measures"]["mean"]["joint"] == pytest.approx(study["loss"] - 0.5)
    assert row["measures"] == measures(row["losses"], study["cost"])
    assert row["loss"] == row["measures"]["mean"]["joint"]
    assert row["losses"]["assembled"] == study["losses"]["assembled"]


def test_a_worse_one_and_none_change_nothing(study):
    assert with_better_joint(part(study, 0.5))[0] == study
    assert with_better_joint({"runs": [study]})[0] == study


def test_a_rate_is_ranked_by_its_mean_over_seeds():
    def row(rate: float, loss: float) -> dict[str, Any]:
        return {"lr": rate, "measures": {"mean": {"joint": loss}}}

    tried = [row(0.1, 1.0), row(0.2, 1.4), row(0.1, 3.0), row(0.2, 1.4), row(0.3, 9.0)]
    assert ranked(tried, "lr") == [0.2, 0.1, 0.3]
