"""The plan of a comparison, against the tasks and models that exist."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from prism.baselines import MODELS as BUILDABLE
from prism.compare.protocol import (
    DEFAULT_RATE,
    FULL_STEPS,
    MODELS,
    QUICK_STEPS,
    ComparisonPlan,
    Recipe,
    recipe_of,
    run_key,
    setting_of,
    swept_recipes,
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
    for task, recipes in swept_recipes().items():
        assert task in TASKS
        assert set(recipes) <= set(BUILDABLE)
        for recipe in recipes.values():
            assert 0 < recipe.lr < 1 and 0 <= recipe.warm_up <= 1 and 0 <= recipe.dropout < 1


def test_toy_models_differ_by_task_and_seed_only() -> None:
    config = toy_config(TASKS["copy"], seed=3)
    assert (config.vocab_size, config.d_model, config.num_layers, config.seed) == (18, 64, 3, 3)


def test_a_rate_comes_from_the_user_or_the_sweep_or_the_default() -> None:
    plan = ComparisonPlan(tasks=("copy",), models=("prism", "gdn"), seeds=2, lr=0.5)
    assert [(x.lr, x.rate_source) for x in plan.jobs("single")] == [(0.5, "given")] * 4
    swept = swept_recipes().get("copy", {}).get("prism")
    (quick,) = ComparisonPlan(tasks=("copy",), models=("prism",), quick=True).jobs("quick")
    expected = (Recipe(DEFAULT_RATE), "default") if swept is None else (swept, "swept")
    assert (recipe_of(asdict(quick)), quick.rate_source) == expected
    assert quick.steps == QUICK_STEPS["copy"]


def test_a_given_warm_up_leaves_the_swept_rate() -> None:
    swept = swept_recipes()["mini_lm"]["prism"]
    plan = ComparisonPlan(tasks=("mini_lm",), models=("prism",), warm_up=0.25)
    (given,) = plan.jobs("single")
    assert recipe_of(asdict(given)) == swept._replace(warm_up=0.25)


def test_a_search_has_a_third_of_the_steps_and_seeds_of_its_own() -> None:
    plan = ComparisonPlan(tasks=("copy",), models=("gdn",), seeds=5, steps=100, search_seeds=2)
    jobs = plan.search_jobs("copy", "gdn", Recipe(1e-2, 0.2, 0.1))
    assert [(x.steps, x.seed, x.lr, x.warm_up, x.dropout) for x in jobs] == [
        (34, seed, 1e-2, 0.2, 0.1) for seed in (0, 1)
    ]


def test_runs_of_before_had_a_tenth_of_warm_up_and_no_dropout() -> None:
    new = asdict(job())
    old = {k: v for k, v in new.items() if k not in ("warm_up", "dropout")}
    assert run_key(old) == run_key(new) == job().key


def test_a_run_of_an_earlier_architecture_is_another_run_in_another_setting() -> None:
    new = asdict(job())
    old = new | {"architecture": new["architecture"] - 1}
    unnamed = {k: v for k, v in new.items() if k != "architecture"}  # of the first
    assert len({run_key(run) for run in (new, old, unnamed)}) == 3
    assert len({setting_of(run) for run in (new, old, unnamed)}) == 3


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


def test_a_run_of_a_search_never_looks_at_the_test_set() -> None:
    run, example = execute(job(steps=2, phase="search"), "cpu", lambda step, loss: None)
    assert run["test"] is None and example is None
    assert 0 <= run["val"]["accuracy"] <= 1


def test_every_place_of_the_fingerprint_exists() -> None:
    assert [place for place in RESULT_CODE if not (ROOT / place).exists()] == []
