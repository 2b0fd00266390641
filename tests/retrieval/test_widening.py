"""Widening keeps the function, and what it adds is alive."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from prism import Prism
from prism.retrieval.training import tape_of
from prism.retrieval.widening import widened
from tasks.retrieval import Retrieval
from tests.model.families import VARIANTS, lively, tokens_of
from tests.retrieval.conftest import small_config


@pytest.mark.parametrize("name", VARIANTS)
@torch.no_grad()
def test_a_wider_model_computes_the_same(name: str):
    model = lively(VARIANTS[name]).float()
    grown = widened(model, 3 * model.config.hidden)
    assert grown.num_parameters() > model.num_parameters()
    tokens = tokens_of(0, 2, 30)
    assert (grown(tokens).logits - model(tokens).logits).abs().max() <= 1e-5


def test_new_columns_have_a_gradient_at_once():
    model = Prism(small_config())
    grown, old = widened(model, model.config.hidden + 5), model.config.hidden
    episode = Retrieval(3).episode("train", 0, 0, 4)
    grown(episode.tokens, tape=tape_of(episode.facts, 1024)).logits.logsumexp(-1).sum().backward()
    for block in grown.blocks:
        assert (block.neural.write.weight[:, old:] == 0).all()
        assert (block.neural.write.weight.grad[:, old:] != 0).all()


def test_a_model_is_never_made_smaller():
    model = Prism(small_config())
    with pytest.raises(ValueError, match="hidden = 63: must be >= 64"):
        widened(model, 63)


def test_a_model_without_neural_experts_is_refused():
    config = dataclasses.replace(small_config(), expert_kinds=("memory",))
    with pytest.raises(ValueError, match="must have 'neural' to be widened"):
        widened(Prism(config), 100)
