"""Learning rate and exploration over a run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.engine.loop.optimizer import exploration, learning_rate
from prism.engine.settings import SCHEDULES, Settings

plans = st.builds(
    Settings,
    steps=st.integers(1, 300),
    schedule=st.sampled_from(SCHEDULES),
    warmup=st.floats(0, 0.5),
    decay=st.floats(0, 1),
    min_lr_ratio=st.floats(0, 1),
    exploration=st.floats(0, 1),
)


@given(plans)
def test_the_rate_rises_to_the_peak_and_falls_to_the_ratio(s: Settings) -> None:
    rates = [learning_rate(i, s) for i in range(s.steps)]
    warm_up = round(s.warmup * s.steps)
    assert all(0 <= r <= s.lr * (1 + 1e-12) for r in rates)
    assert rates[:warm_up] == sorted(rates[:warm_up])
    assert rates[warm_up:] == sorted(rates[warm_up:], reverse=True)
    if warm_up < s.steps:
        assert rates[-1] == pytest.approx(s.lr * s.min_lr_ratio, rel=1e-9, abs=1e-12)


@given(plans)
def test_exploration_falls_to_zero_in_its_fraction(s: Settings) -> None:
    values = [exploration(i, s) for i in range(s.steps)]
    assert values == sorted(values, reverse=True)
    assert all(0 <= v <= 1 for v in values)
    assert all(v == 0 for i, v in enumerate(values) if i >= s.exploration * s.steps)


def test_the_middle_of_wsd_does_not_depend_on_the_number_of_steps() -> None:
    short, long = (Settings(schedule="wsd", steps=n, warmup=10 / n) for n in (100, 200))
    assert [learning_rate(i, short) for i in range(80)] == [
        learning_rate(i, long) for i in range(80)
    ]
