"""Verdicts of the acceptance criteria, on numbers whose answer is known."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.facts.criteria import facts_criteria, over_seeds
from benchmarks.page.criterion import Criterion
from benchmarks.quality.criteria import quality_criteria
from benchmarks.specialisation.criteria import specialisation_criteria
from benchmarks.speed.criteria import speed_criteria
from benchmarks.subjects import SUBJECTS
from tests.benchmarks.fakes import (
    compare,
    facts,
    facts_tape,
    methods,
    specialisation,
    speed,
    task_runs,
    trainer,
)


def judged(content: dict[str, Any] | None, *names: str) -> list[Criterion]:
    """Criteria of the named subjects if this is the content of their file."""
    files = {subject.file: content for subject in SUBJECTS}
    return [c for subject in SUBJECTS if subject.name in names for c in subject.judged(files)]


def verdicts(runs: list[dict[str, Any]], task: str) -> list[bool | None]:
    return [c.met for c in quality_criteria(compare(runs)) if c.asks.startswith(task)]


def test_without_any_run_nothing_is_judged() -> None:
    for subject in SUBJECTS:
        missing = judged(None, subject.name)
        assert {criterion.verdict for criterion in missing} <= {"–"}
        assert bool(missing) == subject.at_head
    assert {c.number for c in quality_criteria(None)} == {"W1", "W3", "W4", "W8"}


def text_runs(ours: float, theirs: float, **more: Any) -> list[dict[str, Any]]:
    """Runs on mini_lm, in bits per byte."""
    runs = task_runs("mini_lm", ours, theirs, train_length=128, lengths=(128, 512), **more)
    for run in runs:
        run |= {"metric": "bits_per_byte"}
        run["val"] |= {"bits_per_byte": run["val"]["accuracy"]}
    return runs


def test_a_lead_has_a_size_and_an_interval_without_zero() -> None:
    assert verdicts(text_runs(2.0, 2.04), "mini_lm") == [True, True, None]
    assert verdicts(text_runs(2.0, 2.02), "mini_lm") == [False, False, None]
    assert verdicts(text_runs(2.04, 2.0), "mini_lm") == [False, False, None]
    apart = text_runs(2.0, 2.04)
    for run in apart:  # a lead of .04 in the mean that rests on one seed of five
        if run["model"] != "prism":
            longer = {"128": 2.2, "512": 2.2} if run["seed"] == 4 else {"128": 2.0, "512": 2.0}
            run["test"]["by_length"] = longer
    assert verdicts(apart, "mini_lm") == [False, False, None]


def test_a_missing_baseline_is_no_lead() -> None:
    runs = [run for run in text_runs(2.0, 2.1) if run["model"] != "gdn"]
    assert verdicts(runs, "mini_lm")[0] is False


def test_a_criterion_is_judged_on_its_seeds_only() -> None:
    assert verdicts(text_runs(2.0, 2.1, seeds=2), "mini_lm") == [None, None, None]


def test_not_behind_is_weaker_than_ahead() -> None:
    assert verdicts(task_runs("copy", 0.995, 0.9955), "copy") == [True, True]
    assert verdicts(task_runs("copy", 0.90, 0.99), "copy") == [False, False]


def test_seeds_are_counted_at_the_training_length_and_beyond() -> None:
    sizes = {"train_length": 32, "lengths": (32, 256)}
    runs = task_runs("parity", 1.0, 0.5, spread=0.0, **sizes)
    assert verdicts(runs, "parity") == [True, True, True]
    runs[0]["test"]["by_length"] = {"32": 1.0, "256": 0.8}  # one seed of PRISM
    assert verdicts(runs, "parity")[:2] == [True, False]
    others = [run | {"task": "modular"} for run in runs]
    assert verdicts(others, "modular") == [True, True, True]  # four of five are enough there


def test_the_sparse_variant_is_compared_with_prism_itself() -> None:
    runs = text_runs(2.0, 2.1)
    variant = [run | {"model": "prism-top2"} for run in runs if run["model"] == "prism"]
    assert verdicts(runs + variant, "mini_lm") == [True, True, True]


def by_start(criteria: list[Criterion]) -> dict[str, bool | None]:
    return {c.asks.split(" ≤")[0]: c.met for c in criteria}


@pytest.mark.parametrize(("ratio", "expected"), [(0.4, [True] * 3), (0.9, [True, True, False])])
def test_step_time_is_relative_to_the_transformer_of_the_same_run(
    ratio: float, expected: list[bool]
) -> None:
    found = by_start(speed_criteria(speed(ratio)))
    assert [found[f"step time at T={t}"] for t in ("64", "2,048", "8,192")] == expected


def test_memory_or_decoding_that_grows_is_missed() -> None:
    content = speed()
    content["memory"][1]["bytes"] *= 8
    content["decode"][1]["median"] *= 1.2
    found = [c for c in speed_criteria(content) if c.met is False]
    assert [c.asks.split()[0] for c in found] == ["decoding", "peak"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("speed", speed()),
        ("specialisation", specialisation()),
        ("facts", facts(*(facts_tape(100, seed) for seed in range(3)))),
        ("trainer", trainer(0.02)),
        *((name, methods()) for name in methods()),
    ],
)
def test_a_quick_run_is_not_judged(name: str, content: dict[str, Any]) -> None:
    assert {c.met for c in judged(content, name)} & {True, False}
    part = content.get(name, content)
    part["meta"] = {**part["meta"], "profile": "quick"}
    assert {c.met for c in judged(content, name)} == {None}


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
    (criterion,) = specialisation_criteria(specialisation(won, others))
    assert criterion.met is met


def by_asks(*runs: dict[str, Any]) -> dict[str, str]:
    return {c.asks: c.verdict for c in facts_criteria(facts(*runs))}


def test_facts_that_reach_every_limit_meet_the_criteria_that_were_measured() -> None:
    found = by_asks(*(facts_tape(100, seed) for seed in range(3)))
    assert {v for asks, v in found.items() if asks.startswith("100 facts")} == {"met"}
    assert {v for asks, v in found.items() if asks.startswith(("1,000", "10,000"))} == {"–"}


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("unseen", 0.89),
        ("forgotten, still answered", 0.01),
        ("share of time added", 0.06),
        ("seconds per fact", 0.0051),
    ],
)
def test_a_mean_on_the_wrong_side_misses_one_criterion(metric: str, value: float) -> None:
    runs = [facts_tape(100, seed, **{metric: value}) for seed in range(3)]
    assert sum(c.met is False for c in facts_criteria(facts(*runs))) == 1


def test_two_seeds_of_facts_judge_nothing_that_needs_three() -> None:
    two = by_asks(facts_tape(100, 0), facts_tape(100, 1))
    assert {v for asks, v in two.items() if asks.startswith("100 facts")} == {"not judged"}


def test_a_changed_parameter_is_a_miss() -> None:
    changed = facts_tape(100, 1) | {"parameters after": "other"}
    assert facts_criteria(facts(facts_tape(100, 0), changed))[-1].met is False
    assert facts_criteria(facts(facts_tape(100, 0)))[-1].met is True


def test_values_of_other_controls_and_numbers_of_facts_are_kept_apart() -> None:
    numbers = ((100, 0, 0.8), (100, 1, 0.9), (1000, 0, 0.5))
    runs = [facts_tape(count, seed, written=value) for count, seed, value in numbers]
    assert over_seeds(runs, 100, "written").mean == pytest.approx(0.85)
    assert over_seeds(runs, 100, "written", "no tape").mean == pytest.approx(0.1)
    assert over_seeds(runs, 20, "written") is None


def test_the_overhead_of_the_trainer_is_judged_at_every_size() -> None:
    assert [c.met for c in judged(trainer(0.02, 0.04), "trainer")] == [True, False]


def of_methods(content: dict[str, Any], number: str) -> set[bool | None]:
    return {c.met for c in judged(content, *methods()) if c.number == number}


def test_a_gain_at_three_quarters_of_the_cost_misses_growth_and_meets_selection() -> None:
    content = methods(gain=0.1)
    growth = [c for c in judged(content, "growth") if c.number == "1"]
    assert [c.met for c in growth] == [False, True] * 3  # 0.75 is above 0.70
    assert growth[0].reached.startswith("0.75")
    for number in ("2", "3", "4"):
        assert of_methods(content, number) == {True}


def test_reaching_the_loss_at_half_the_time_meets_growth() -> None:
    content = methods(gain=0.1)
    for run in content["growth"]["runs"]:
        if run["phase"] == "final" and run["arm"] != "scratch":
            run["ends"][0]["loss"] = 2.99
    (criterion, *_) = judged(content, "growth")
    assert criterion.met is True
    assert criterion.reached.startswith("≤ 0.50")


def test_a_loss_that_is_never_reached_is_missed_and_said_so() -> None:
    growth = judged(methods(gain=-0.1), "growth")
    asked = [c for c in growth if c.number == "1"] + judged(methods(gain=-0.1), "selection")
    assert {c.met for c in asked} == {False}
    assert "not within the budget (5 of 5 seeds)" in growth[0].reached


@pytest.mark.parametrize(("spike", "dead", "met"), [(0.03, 0, False), (0.0, 1, False)])
def test_a_spike_or_a_dead_weight_on_any_seed_is_missed(spike: float, dead: int, met: bool) -> None:
    assert met in of_methods(methods(spike=spike, dead=dead), "2")


def test_annealing_must_help_the_skill_and_cost_nothing_elsewhere() -> None:
    found = [c.met for c in judged(methods(gain=0.04), "curriculum")]
    assert found == [False, True, False, True]


@pytest.mark.parametrize("seeds", [1, 4])
def test_fewer_than_five_seeds_of_a_method_are_not_judged(seeds: int) -> None:
    assert {c.met for c in judged(methods(seeds=seeds), *methods())} == {None}
    assert len(judged(None, *methods())) == len(judged(methods(), *methods()))
