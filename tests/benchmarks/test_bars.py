"""What counts as met, on numbers whose answer is known."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.page.bars import Bar
from benchmarks.quality.bars import quality_bars
from benchmarks.specialisation.bars import specialisation_bars
from benchmarks.speed.bars import speed_bars
from prism.compare.summary import summarise
from tests.benchmarks.fakes import specialisation, speed, task_runs


def verdicts(runs: list[dict[str, Any]], task: str) -> list[bool | None]:
    return [bar.met for bar in quality_bars(summarise(runs)) if bar.asks.startswith(task)]


def test_without_any_run_nothing_is_judged() -> None:
    assert {bar.met for bar in quality_bars([])} == {None}
    assert {bar.number for bar in quality_bars([])} == {"1", "2", "3", "4", "5"}


def test_ahead_needs_disjoint_intervals_and_the_score() -> None:
    assert verdicts(task_runs("induction", 0.995, 0.5), "induction") == [True, True]
    assert verdicts(task_runs("induction", 0.95, 0.5), "induction") == [False, True]
    touching = task_runs("induction", 0.9955, 0.995)
    assert verdicts(touching, "induction") == [False, True]


def test_a_bar_is_judged_at_its_steps_and_on_its_seeds_only() -> None:
    other_steps = task_runs("induction", 0.995, 0.5, steps=300)
    assert verdicts(other_steps, "induction") == [None, True]
    assert verdicts(task_runs("induction", 0.995, 0.5, seeds=2), "induction") == [None, None]


def test_a_missing_baseline_is_no_win() -> None:
    runs = [run for run in task_runs("induction", 0.995, 0.5) if run["model"] != "gdn"]
    assert verdicts(runs, "induction")[0] is False


def test_not_behind_is_weaker_than_ahead() -> None:
    level = task_runs("copy", 0.995, 0.9955, steps=1000)
    worse = task_runs("copy", 0.90, 0.99, steps=1000)
    assert verdicts(level, "copy")[1] is True
    assert verdicts(worse, "copy")[1] is False


def test_copy_at_step_600_is_read_off_the_learning_curve() -> None:
    runs = task_runs("copy", 1.0, 0.9, steps=1000)
    assert verdicts(runs, "copy")[0] is None
    for run in runs:
        run["curve"] = [{"step": 600, "val_metric": 0.98}, {"step": 1000, "val_metric": 1.0}]
    assert verdicts(runs, "copy")[0] is False


def test_every_seed_must_solve_parity() -> None:
    sizes = {"train_length": 32, "lengths": (32, 256)}
    assert verdicts(task_runs("parity", 1.0, 0.5, spread=0.0, **sizes), "parity") == [True]
    assert verdicts(task_runs("parity", 0.998, 0.5, **sizes), "parity") == [False]


def test_the_sparse_variant_is_compared_with_prism_itself() -> None:
    runs = task_runs("mini_lm", 2.0, 2.1, train_length=128, lengths=(128, 512))
    for run in runs:
        run |= {"metric": "bits_per_byte"}
        run["val"] |= {"bits_per_byte": run["val"]["accuracy"]}
    assert verdicts(runs, "mini_lm") == [True, True, None]
    variant = [run | {"model": "prism-top2"} for run in runs if run["model"] == "prism"]
    assert verdicts(runs + variant, "mini_lm") == [True, True, True]


def by_start(bars: list[Bar]) -> dict[str, bool | None]:
    return {bar.asks.split(" ≤")[0]: bar.met for bar in bars}


@pytest.mark.parametrize(("ratio", "expected"), [(0.4, [True] * 3), (0.9, [True, True, False])])
def test_step_time_is_relative_to_the_transformer_of_the_same_run(
    ratio: float, expected: list[bool]
) -> None:
    found = by_start(speed_bars(speed(ratio)))
    assert [found[f"step time at T={t}"] for t in ("64", "2,048", "8,192")] == expected


def test_memory_or_decoding_that_grows_is_missed() -> None:
    content = speed()
    content["memory"][1]["bytes"] *= 8
    content["decode"][1]["median"] *= 1.2
    found = [bar for bar in speed_bars(content) if bar.met is False]
    assert [bar.asks.split()[0] for bar in found] == ["decoding", "peak"]


def test_a_quick_run_is_not_judged() -> None:
    content = speed()
    content["meta"] = {**content["meta"], "profile": "quick"}
    assert {bar.met for bar in speed_bars(content)} == {None}


@pytest.mark.parametrize(
    ("won", "others", "met"),
    [
        (0.4, 0.1, True),
        (0.2, 0.1, False),
        (0.2, -0.01, True),
        (-0.1, -0.2, False),
        (0.2, 1e-9, True),
        (1e-9, 0.2, False),
        (4e-9, 1e-9, None),
    ],
)
def test_a_kind_must_hurt_three_times_as_much_where_it_wins(
    won: float, others: float, met: bool | None
) -> None:
    (bar,) = specialisation_bars(specialisation(won, others))
    assert bar.met is met
