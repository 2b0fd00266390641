"""The plan of a comparison, against the tasks and models that exist."""

from __future__ import annotations

import pytest

from prism.baselines import MODELS as BUILDABLE
from prism.compare.protocol import (
    DEFAULT_RATE,
    FULL_STEPS,
    MODELS,
    QUICK_STEPS,
    ComparisonPlan,
    swept_rates,
    toy_config,
)
from prism.compare.runner import execute
from prism.record import RESULT_CODE, ROOT
from tasks import TASKS
from tests.compare.fakes import job


def test_every_task_has_its_steps_and_quick_means_fewer() -> None:
    assert list(FULL_STEPS) == list(QUICK_STEPS) == list(TASKS)
    assert all(QUICK_STEPS[name] <= FULL_STEPS[name] for name in TASKS)


def test_every_model_can_be_built() -> None:
    assert set(MODELS) <= set(BUILDABLE)


def test_the_shipped_rates_are_for_tasks_and_models_that_exist() -> None:
    for task, rates in swept_rates().items():
        assert task in TASKS
        assert set(rates) <= set(BUILDABLE)
        assert all(0 < rate < 1 for rate in rates.values())


def test_toy_models_differ_by_task_and_seed_only() -> None:
    config = toy_config(TASKS["copy"], seed=3)
    assert (config.vocab_size, config.d_model, config.num_layers, config.seed) == (18, 64, 3, 3)


def test_a_rate_comes_from_the_user_or_the_sweep_or_the_default() -> None:
    plan = ComparisonPlan(tasks=("copy",), models=("prism", "gdn"), seeds=2, lr=0.5)
    assert [(x.lr, x.rate_source) for x in plan.jobs("single")] == [(0.5, "given")] * 4
    swept = swept_rates().get("copy", {}).get("prism")
    (quick,) = ComparisonPlan(tasks=("copy",), models=("prism",), quick=True).jobs("quick")
    expected = (DEFAULT_RATE, "default") if swept is None else (swept, "swept")
    assert (quick.lr, quick.rate_source) == expected
    assert quick.steps == QUICK_STEPS["copy"]


def test_the_corpus_belongs_to_mini_lm_only() -> None:
    plan = ComparisonPlan(tasks=("copy", "mini_lm"), models=("prism",), corpus="book.txt")
    assert [x.corpus for x in plan.jobs("single")] == [None, "book.txt"]


@pytest.mark.parametrize("model", ["prism", "transformer"])
def test_a_run_says_all_that_a_result_needs(model: str) -> None:
    small = job(model=model, steps=2, evaluation=8)
    run, example = execute(small, "cpu", lambda step, loss: None)
    assert run["error"] is None
    assert set(run) >= {"task", "model", "seed", "lr", "steps", "parameters", "state_bytes"}
    assert set(run) >= {"curve", "val", "test", "tokens_per_second", "seconds", "code"}
    assert run["test"].keys() == {"loss", "accuracy", "by_length"}
    assert (example is not None) == (model == "prism")
    if example is not None:
        layer = example["layers"][0]
        assert len(layer["probability"]) == len(example["tokens"]) == len(layer["tape_load"])
        assert len(layer["bus_gates"]) == len(example["half_lives"])


def test_every_place_of_the_fingerprint_exists() -> None:
    assert [place for place in RESULT_CODE if not (ROOT / place).exists()] == []
