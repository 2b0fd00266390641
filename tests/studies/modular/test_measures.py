"""The numbers of the study, from losses and costs that are known."""

import pytest

from prism.studies.modular.domains import DOMAINS, OWN, rows_of, shares_of
from prism.studies.modular.measures import measures

COST = {
    "trunk": {"tokens": 100, "flops": 20.0, "seconds": 2.0},
    "neural": {"tokens": 100, "flops": 10.0, "seconds": 1.0},
    "memory": {"tokens": 100, "flops": 20.0, "seconds": 3.0},
    "symbolic": {"tokens": 100, "flops": 15.0, "seconds": 1.0},
    "calibrated": {"tokens": 8, "flops": 1.0, "seconds": 0.5},
    "joint": {"tokens": 200, "flops": 100.0, "seconds": 10.0},
}


def losses(**rows: tuple[float, float, float]) -> dict[str, dict[str, float]]:
    return {name: dict(zip(DOMAINS, row, strict=True)) for name, row in rows.items()}


LOSSES = losses(
    trunk=(2.0, 4.0, 0.6),
    neural=(1.5, 4.0, 0.6),
    memory=(1.9, 0.2, 0.6),
    symbolic=(2.0, 4.0, 0.1),
    assembled=(1.56, 0.23, 0.11),
    calibrated=(1.52, 0.21, 0.1),
    joint=(1.5, 0.2, 0.1),
)


def test_interference_is_against_the_best_single_branch_of_each_domain():
    found = measures(LOSSES, COST)
    wanted = {"text": 0.06, "recall": 0.03, "state": 0.01}
    assert found["interference"] == pytest.approx(wanted)
    assert found["worst_interference"] == pytest.approx(0.06)
    calibrated = {"text": 0.02, "recall": 0.01, "state": 0.0}
    assert found["interference_calibrated"] == pytest.approx(calibrated)


def test_the_gap_is_closed_by_as_much_as_the_calibration_gains():
    found = measures(LOSSES, COST)
    assert found["closed"] == pytest.approx((1.9 - 1.83) / (1.9 - 1.8))
    assert found["closed_of_trunk"] == pytest.approx((6.6 - 1.83) / (6.6 - 1.8))


def test_a_gap_that_is_not_there_is_closed():
    better = {**LOSSES, "joint": dict.fromkeys(DOMAINS, 3.0)}
    assert measures(better, COST)["closed"] == 1.0


def test_costs_are_in_joint_runs():
    found = measures(LOSSES, COST)
    assert found["critical_path"] == pytest.approx({"flops": 0.41, "seconds": 0.55})
    assert found["total"] == pytest.approx({"flops": 0.66, "seconds": 0.75})
    assert found["calibration_tokens"] == pytest.approx(0.02)


def test_a_branch_reads_70_percent_its_own_and_30_percent_of_everything():
    assert set(OWN.values()) == {"neural", "memory", "symbolic"}
    assert shares_of(None) == pytest.approx(dict.fromkeys(DOMAINS, 1 / 3))
    assert shares_of("recall") == pytest.approx({"text": 0.1, "recall": 0.8, "state": 0.1})
    assert rows_of(shares_of("recall"), 60) == {"text": 6, "recall": 48, "state": 6}
    for rows in range(1, 40):
        assert sum(rows_of(shares_of("text"), rows).values()) == rows
