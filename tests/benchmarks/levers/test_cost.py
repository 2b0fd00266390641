"""The cost to a wanted loss is read off the ends of a run, and never made up beyond them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.levers.summary import cost_of

COSTS = (0.5, 0.75, 1.0)
falling = st.lists(st.floats(0.01, 1.0), min_size=3, max_size=3).map(
    lambda drops: [4 - sum(drops[: i + 1]) for i in range(3)]
)


@given(falling)
def test_an_end_that_has_the_wanted_loss_gives_its_own_cost(losses: list[float]) -> None:
    for cost, loss in zip(COSTS, losses, strict=True):
        assert cost_of(loss, COSTS, losses) == pytest.approx(cost)


@given(falling, st.floats(0, 1), st.floats(0, 1))
def test_a_lower_loss_never_costs_less(losses: list[float], a: float, b: float) -> None:
    low, high = sorted(losses[-1] + x * (losses[0] - losses[-1]) for x in (a, b))
    assert cost_of(low, COSTS, losses) >= cost_of(high, COSTS, losses) - 1e-12


def test_between_two_ends_the_loss_falls_with_the_logarithm_of_the_cost() -> None:
    assert cost_of(3.0, (1.0, 4.0), (3.5, 2.5)) == pytest.approx(math.sqrt(4.0))


def test_beyond_the_ends_nothing_is_extrapolated() -> None:
    assert cost_of(5.0, COSTS, (4.0, 3.5, 3.0)) == 0.5
    assert cost_of(2.0, COSTS, (4.0, 3.5, 3.0)) is None


def test_a_loss_that_comes_and_goes_counts_when_it_first_comes() -> None:
    assert cost_of(3.0, COSTS, (3.5, 3.0, 3.2)) == pytest.approx(0.75)
