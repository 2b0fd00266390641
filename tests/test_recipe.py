"""The training recipe: schedules, parameter groups, one step, and that the engine agrees."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from prism.engine.loop import optimizer as engine
from prism.engine.settings import Settings
from prism.recipe import (
    StepLoss,
    adamw,
    cosine,
    exploration,
    finite,
    parameter_groups,
    train_step,
    wsd,
)
from tests.compare.fakes import Bigram


def test_the_rate_warms_up_over_a_tenth_and_ends_at_a_tenth_of_the_peak() -> None:
    rates = [cosine(step, 100, 1.0) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == 1.0 == max(rates)
    assert rates[99] == pytest.approx(0.1)
    assert rates[9:] == sorted(rates[9:], reverse=True)
    halfway = cosine(54, 100, 1.0)
    assert halfway == pytest.approx(0.55)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_short_run_still_warms_up_to_the_peak(steps: int) -> None:
    assert cosine(0, steps, 0.5) == 0.5


def test_exploration_falls_from_one_to_zero_in_the_first_half() -> None:
    assert [exploration(step, 8) for step in range(8)] == [1, 0.75, 0.5, 0.25, 0, 0, 0, 0]


def test_only_matrices_that_are_no_tables_are_decayed() -> None:
    model = nn.Linear(3, 2)
    exempt = nn.Parameter(torch.zeros(2, 2))
    model.offset = exempt
    frozen = nn.Parameter(torch.zeros(2, 2), requires_grad=False)
    model.frozen = frozen
    decayed, free = parameter_groups(model)
    assert decayed["weight_decay"] == 0.1
    assert free["weight_decay"] == 0.0
    assert [id(p) for p in decayed["params"]] == [id(model.weight)]
    assert {id(p) for p in free["params"]} == {id(model.bias), id(exempt)}


def test_wsd_is_constant_between_warm_up_and_decay() -> None:
    rates = [wsd(step, 10, 1.0, warm_up=2, decay=4, final=0.2) for step in range(10)]
    assert rates == pytest.approx([0.5, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2])


def test_the_schedules_of_a_scale_run_are_these() -> None:
    s = Settings(steps=40, lr=0.3, warmup=0.1, min_lr_ratio=0.1)
    for step in range(s.steps):
        assert engine.learning_rate(step, s) == cosine(step, s.steps, s.lr)
        assert engine.exploration(step, s) == exploration(step, s.steps, s.exploration)


def test_a_step_descends_the_objective_and_reports_the_loss() -> None:
    model = Bigram()
    optimizer = adamw(model, 0.1)
    before = model.table.detach().clone()
    loads = torch.ones(1, 1)

    def loss() -> StepLoss:
        return StepLoss(model.table.sum(), torch.tensor(7.0), loads)

    assert train_step(model, optimizer, loss, rate=0.5, epsilon=0.25) == 7.0
    assert (model.table < before).all()
    assert model.table.grad.norm() <= 1.0 + 1e-6
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.5]
    assert (model.epsilons, model.steps) == ([0.25], 1)
    train_step(model, optimizer, loss, rate=0.5)
    assert model.epsilons == [0.25]


def test_a_loss_that_is_no_number_is_named() -> None:
    assert finite(0.5, "loss") == 0.5
    with pytest.raises(FloatingPointError, match="test loss is nan at step 3"):
        finite(math.nan, "test loss", " at step 3")
