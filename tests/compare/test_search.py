"""The search of a recipe: it ends only where every neighbour is worse."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.compare.protocol import Recipe
from prism.compare.search import (
    CEILING,
    DROPOUTS,
    FASTEST,
    SLOWEST,
    START,
    WARM_UPS,
    at_ceiling,
    best_measured,
    neighbours,
    next_recipes,
)
from tests.compare.fakes import job, run

AXES = ("lr", "warm_up", "dropout")


def measured_at(recipe: Recipe, best: Recipe) -> list[dict]:
    away = abs(math.log2(recipe.lr / best.lr)) + abs(recipe.warm_up - best.warm_up)
    away += abs(recipe.dropout - best.dropout)
    return [run(job(**recipe._asdict()), val=0.9 - away / 100)]


def search(best: Recipe, repeats: bool) -> dict[Recipe, list[dict]]:
    measured: dict[Recipe, list[dict]] = {}
    while wanted := next_recipes(measured, repeats):
        assert not set(wanted) & set(measured)
        measured |= {recipe: measured_at(recipe, best) for recipe in wanted}
    return measured


@given(
    doublings=st.integers(-7, 4),
    warm_up=st.sampled_from(WARM_UPS),
    dropout=st.sampled_from(DROPOUTS),
    repeats=st.booleans(),
)
def test_it_finds_the_best_however_far_and_both_neighbours_have_been_tried(
    doublings: int, warm_up: float, dropout: float, repeats: bool
) -> None:
    best = Recipe(START.lr * 2**doublings, warm_up, dropout if repeats else 0.0)
    measured = search(best, repeats)
    assert best_measured(measured) == best
    for axis in AXES if repeats else AXES[:2]:
        assert set(neighbours(best, axis)) <= set(measured)
    if not repeats:
        assert {recipe.dropout for recipe in measured} == {0.0}


def test_equals_end_the_search_where_it_began() -> None:
    measured: dict[Recipe, list[dict]] = {}
    while wanted := next_recipes(measured, True):
        measured |= {recipe: [run(job())] for recipe in wanted}
    assert best_measured(measured) == START
    assert len(measured) == 6  # itself, two rates, two warm-ups, one dropout


def test_rates_have_two_neighbours_but_at_the_ends_of_what_is_sane() -> None:
    assert [r.lr for r in neighbours(Recipe(4e-3), "lr")] == [2e-3, 8e-3]
    assert [r.lr for r in neighbours(Recipe(FASTEST), "lr")] == [FASTEST / 2]
    assert [r.lr for r in neighbours(Recipe(SLOWEST), "lr")] == [2 * SLOWEST]
    assert [r.dropout for r in neighbours(Recipe(4e-3), "dropout")] == [DROPOUTS[1]]


def test_a_diverged_rate_is_a_worse_neighbour() -> None:
    measured = {
        Recipe(8e-3): [run(job(), val=0.5)],
        Recipe(1.6e-2): [run(job(), val=0.6)],
        Recipe(3.2e-2): [run(job(), error="loss is nan")],
    }
    assert best_measured(measured) == Recipe(1.6e-2)
    assert {r.lr for r in next_recipes(measured, False)} == {1.6e-2}  # on to the warm-up


@pytest.mark.parametrize(("val", "done"), [(CEILING, True), (CEILING - 1e-6, False)])
def test_nothing_is_tried_beyond_the_ceiling(val: float, done: bool) -> None:
    runs = [run(job(seed=seed), val=v) for seed, v in enumerate((1.0, val))]
    assert at_ceiling(runs) == done
    assert (next_recipes({START: runs}, True) == []) == done


def test_bits_per_byte_have_no_ceiling() -> None:
    text = run(job(), metric="bits_per_byte") | {"val": {"loss": 0.0, "bits_per_byte": 0.0}}
    assert not at_ceiling([text])
    assert not at_ceiling([])
