"""The readout at the end sees the last position's features and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from prism.baselines import build
from prism.compare.protocol import toy_config
from prism.compare.readout import EndReadout
from prism.compare.training import TrainingPlan, train
from tasks import TASKS

task = TASKS["compression"]


def reader(name: str) -> EndReadout:
    return EndReadout(build(name, toy_config(task, 0)), 32, seed=0)


@pytest.mark.parametrize("name", ["prism", "transformer"])
def test_features_of_other_positions_do_not_matter(name: str) -> None:
    model = reader(name)
    tokens = task.batch("train", 0, 0, 2).tokens
    before = model(tokens).logits
    inner = model.model.forward

    def disturbed(*args):
        output = inner(*args)
        hidden = output.hidden.clone()
        hidden[:, :-1] += 1.0
        return replace(output, hidden=hidden)

    model.model.forward = disturbed
    assert torch.equal(model(tokens).logits, before)
    assert before.shape == (2, 32, task.vocab_size)


def test_positions_are_told_apart() -> None:
    logits = reader("prism")(task.batch("train", 0, 0, 1).tokens).logits[0]
    assert len(torch.unique(logits, dim=0)) == 32


def test_short_rows_are_learned_and_the_readout_is_trained_with_the_model() -> None:
    """Two tokens, of which the first is asked."""
    model = reader("prism")
    start = model.position.detach().clone()
    easy = type("Easy", (type(task),), {"train_length": 2, "test_lengths": (2,)})()
    plan = TrainingPlan(steps=60, batch_size=32, lr=1e-2, seed=0, evaluation=64)
    result = train(model, easy, plan)
    assert result.test["accuracy"] > 0.9
    assert not torch.equal(model.position[:1], start[:1])
    assert result.parameters == model.num_parameters() > model.model.num_parameters()
