"""Training one model: the recipe, its repeatability, and what it does when it diverges."""

from __future__ import annotations

import math

import pytest
import torch

from prism.baselines import build
from prism.compare.protocol import toy_config
from prism.compare.training import (
    RunResult,
    TrainingPlan,
    evaluate,
    scored_loss,
    sequences_at,
    train,
)
from tasks import get_task
from tests.compare.fakes import Bigram, Echo


def plan(**changes: float) -> TrainingPlan:
    values = {"steps": 40, "batch_size": 8, "lr": 0.1, "seed": 0, "evaluation": 64}
    return TrainingPlan(**{**values, **changes})


def without_times(result: RunResult) -> dict:
    return {k: v for k, v in vars(result).items() if k not in ("seconds", "tokens_per_second")}


def test_a_run_learns_and_reports_everything() -> None:
    model, seen = Bigram(), []
    result = train(model, Echo(), plan(), lambda step, loss: seen.append(step))
    assert result.error is None
    assert result.test["accuracy"] == 1.0
    assert result.test["by_length"] == {"8": 1.0, "16": 1.0}
    assert [point["step"] for point in result.curve] == list(range(4, 41, 4))
    assert result.curve[-1]["val_loss"] < result.curve[0]["val_loss"]
    assert seen == list(range(1, 41))
    assert model.steps == 40
    assert result.parameters == 30
    assert result.state_bytes == 8
    assert result.tokens_per_second > 0


def test_the_router_explores_in_training_and_never_in_evaluation() -> None:
    class Watched(Bigram):
        def forward(self, tokens, state=None, segment_ids=None):
            if not self.training:
                assert not self.epsilons or self.epsilons[-1] == 0.0
            return super().forward(tokens, state, segment_ids)

    model = Watched()
    train(model, Echo(), plan(steps=10))
    assert model.epsilons[0] == 1.0
    assert model.epsilons[-1] == 0.0


@pytest.mark.parametrize("name", ["prism", "gdn"])
def test_the_same_seed_gives_the_same_bits(name: str) -> None:
    task = get_task("copy")
    small = plan(steps=4, lr=3e-3, evaluation=8)
    results = []
    for _ in range(2):
        results.append(train(build(name, toy_config(task, 0)), task, small))
    assert without_times(results[0]) == without_times(results[1])
    other = train(build(name, toy_config(task, 1)), task, plan(**{**vars(small), "seed": 1}))
    assert without_times(results[0]) != without_times(other)


def test_a_diverging_run_says_so_and_stops() -> None:
    class Broken(Bigram):
        def forward(self, tokens, state=None, segment_ids=None):
            output = super().forward(tokens, state, segment_ids)
            output.logits = output.logits * (math.nan if self.steps == 3 else 1.0)
            return output

    result = train(Broken(), Echo(), plan(steps=20))
    assert result.error == "loss is nan at step 4 of 20"
    assert result.val is None
    assert result.test is None


def test_the_loss_counts_scored_positions_only() -> None:
    logits = torch.zeros(1, 3, 4)
    logits[0, 0, 1] = 100.0
    targets = torch.tensor([[0, -100, 2]])
    assert scored_loss(logits, targets).item() == pytest.approx((100.0 + math.log(4)) / 2)


def test_evaluation_does_not_depend_on_what_was_drawn_before() -> None:
    model, task = Bigram(), Echo()
    first = evaluate(model, task, "test", 32)
    torch.rand(7)
    assert evaluate(model, task, "test", 32) == first
    assert model.training


def test_bits_per_byte_is_the_loss_in_bits() -> None:
    class Bits(Echo):
        metric = "bits_per_byte"

    score = evaluate(Bigram(), Bits(), "validation", 16)
    assert score.metric == score.loss / math.log(2)


def test_long_sequences_are_measured_on_fewer_but_not_too_few() -> None:
    assert sequences_at(64, 64, 1024) == 1024
    assert sequences_at(128, 64, 1024) == 512
    assert sequences_at(4096, 64, 1024) == 128
    assert sequences_at(32, 64, 1024) == 1024
