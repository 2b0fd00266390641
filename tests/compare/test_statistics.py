"""Mean, interval and winner on numbers whose answer is known."""

from __future__ import annotations

import pytest

from prism.compare.statistics import Estimate, estimate, paired_difference, t_quantile, winner


@pytest.mark.parametrize(
    ("df", "quantile"),
    [
        (1, 12.7062047),
        (2, 4.3026527),
        (3, 3.1824463),
        (4, 2.7764451),
        (9, 2.2621572),
        (10, 2.2281389),
        (30, 2.0422725),
        (1000, 1.9623391),
    ],
)
def test_the_quantile_agrees_with_published_tables(df: int, quantile: float) -> None:
    assert t_quantile(df) == pytest.approx(quantile, abs=1e-6)


def test_mean_and_interval_of_five_numbers() -> None:
    """s = sqrt(2.5), so the half-width is 2.7764 sqrt(2.5 / 5)."""
    found = estimate([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.mean == 3.0
    assert found.half_width == pytest.approx(1.9632432, abs=1e-6)
    assert found.low == pytest.approx(3.0 - 1.9632432, abs=1e-6)


def test_one_seed_has_no_interval() -> None:
    assert estimate([0.5]) == Estimate(0.5, None, 1)


def test_no_seed_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one"):
        estimate([])


def test_a_paired_difference_uses_common_seeds_only() -> None:
    found = paired_difference({0: 1.0, 1: 2.0, 2: 9.0}, {0: 0.5, 1: 1.5, 3: 7.0})
    assert found == Estimate(0.5, 0.0, 2)
    assert paired_difference({0: 1.0}, {1: 1.0}) is None


def test_the_winner_is_best_and_touches_no_other_interval() -> None:
    apart = {"a": Estimate(0.9, 0.04, 5), "b": Estimate(0.8, 0.04, 5), "c": Estimate(0.1, 0.0, 5)}
    assert winner(apart, higher_is_better=True) == "a"
    assert winner(apart, higher_is_better=False) == "c"


def test_overlapping_or_equal_intervals_have_no_winner() -> None:
    overlapping = {"a": Estimate(0.9, 0.06, 5), "b": Estimate(0.8, 0.06, 5)}
    assert winner(overlapping, higher_is_better=True) is None
    tie = {"a": Estimate(1.0, 0.0, 5), "b": Estimate(1.0, 0.0, 5)}
    assert winner(tie, higher_is_better=True) is None


def test_one_seed_or_one_model_has_no_winner() -> None:
    one_seed = {"a": Estimate(0.9, 0.01, 5), "b": Estimate(0.1, None, 1)}
    assert winner(one_seed, higher_is_better=True) is None
    assert winner({"a": Estimate(0.9, 0.01, 5)}, higher_is_better=True) is None
