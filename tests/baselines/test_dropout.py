"""Dropout of every branch and of the embedded tokens, while training, from the global generator."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from prism.baselines import BASELINES, build_with_budget
from prism.compare.runner import execute
from prism.config import PrismConfig
from tests.compare.fakes import job

CONFIG = PrismConfig(vocab_size=11, d_model=16, num_layers=2, chunk_size=8)
TOKENS = torch.arange(48).view(2, 24) % 11
every_baseline = pytest.mark.parametrize("name", BASELINES)


def model_of(name: str, dropout: float = 0.0):
    config = dataclasses.replace(CONFIG, dropout=dropout)
    return build_with_budget(name, config, 12_000)


@every_baseline
def test_without_dropout_training_draws_nothing(name: str) -> None:
    model = model_of(name).train()
    before = torch.random.get_rng_state()
    trained = model(TOKENS).logits
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(trained, model.eval()(TOKENS).logits)


@every_baseline
def test_evaluation_is_that_of_the_model_without(name: str) -> None:
    assert torch.equal(
        model_of(name, 0.3).eval()(TOKENS).logits, model_of(name).eval()(TOKENS).logits
    )


@every_baseline
def test_the_same_seed_drops_the_same(name: str) -> None:
    model, found = model_of(name, 0.3).train(), []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        found.append(model(TOKENS).logits)
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


@pytest.mark.parametrize("name", ["prism", "transformer-strong", "ssm-plain"])
def test_a_run_with_dropout_repeats_bit_by_bit_and_differs_from_one_without(name: str) -> None:
    scores = []
    for dropout in (0.2, 0.2, 0.0):
        small = job(model=name, steps=3, evaluation=8, dropout=dropout)
        run, _ = execute(small, "cpu", lambda step, loss: None)
        scores.append((run["val"]["loss"], run["test"]["loss"]))
    assert scores[0] == scores[1] != scores[2]
