"""What holo_mode adds is counted: 4 D + 4 parameters and one small product per token."""

from __future__ import annotations

from prism import Prism
from prism.studies.retrieval.report import FIRST_DESIGN, cost, cost_lines
from prism.studies.retrieval.training import tape_of
from tests.studies.retrieval.conftest import small_config


def test_holo_mode_costs_one_row_of_weights_per_decision():
    model = Prism(small_config())
    found = cost(model, tape_of([], dim=1024))
    dim = model.config.d_model
    assert found["parameters added"] == 4 * dim + 4
    assert found["parameters"] + 4 * dim + 4 == model.num_parameters()
    assert found["flops added per token"] == 2 * 4 * dim
    assert found["flops added per token, share"] < 0.01
    assert found["register bytes"] == 2 * 1024
    assert found["flops per question"] > 2 * 1024
    assert f"{4 * dim + 4:,} parameters" in cost_lines(found)[0]
    assert f"{FIRST_DESIGN['parameters added, share']:.0%}" in cost_lines(found)[0]
