"""One small model that has learnt to ask, for all tests here: seconds of training."""

from __future__ import annotations

import dataclasses

import pytest

from prism import Prism, PrismConfig, SymbolicConfig
from prism.studies.retrieval.training import RetrievalPlan, default_config, train

PLAN = RetrievalPlan(steps=70, batch_size=16, length=48, lr=1e-2, facts=8)


def small_config(seed: int = 0) -> PrismConfig:
    return dataclasses.replace(
        default_config(seed),
        d_model=32,
        num_layers=1,
        neural_hidden=64,
        symbolic=SymbolicConfig(answers=False, units=2, dials=0, reflections=0),
    )


@pytest.fixture(scope="session")
def asker() -> Prism:
    model = Prism(small_config())
    train(model, PLAN)
    return model.requires_grad_(False)
