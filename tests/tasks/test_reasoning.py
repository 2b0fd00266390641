"""Reasoning: a well-formed chain whose clamping matters, and its chance level."""

from __future__ import annotations

import numpy as np
import pytest

from tasks import IGNORE, TASKS

reasoning = TASKS["reasoning"]
ADD, SUB, SEP = 16, 17, 18


def test_a_chain_is_a_value_then_operations_then_the_separator() -> None:
    batch = reasoning.batch("train", 0, 0, 256)
    tokens = batch.tokens
    assert (tokens[:, 0] < 16).all()
    assert ((tokens[:, 1:-1:2] == ADD) | (tokens[:, 1:-1:2] == SUB)).all()
    assert ((tokens[:, 2:-1:2] >= 1) & (tokens[:, 2:-1:2] <= 4)).all()
    assert (tokens[:, -1] == SEP).all()
    assert (batch.targets[:, :-1] == IGNORE).all()


def test_clamping_at_each_step_is_not_clamping_at_the_end() -> None:
    """Otherwise the signed sum would do and the order of the steps would not matter."""
    batch = reasoning.batch("train", 0, 0, 4096)
    sign = 1 - 2 * (batch.tokens[:, 1:-1:2] == SUB).long()
    total = batch.tokens[:, 0] + (sign * batch.tokens[:, 2:-1:2]).sum(dim=1)
    agree = (total.clamp(0, 15) == batch.targets[:, -1]).double().mean()
    assert 0.5 < agree < 0.9


def test_chance_is_the_share_of_the_likeliest_final_value() -> None:
    step = np.zeros((16, 16))
    for value in range(16):
        for change in (-4, -3, -2, -1, 1, 2, 3, 4):
            step[value, min(15, max(0, value + change))] += 1 / 8
    final = np.full(16, 1 / 16) @ np.linalg.matrix_power(step, 6)
    assert reasoning.chance == pytest.approx(final.max(), abs=5e-5)
    answers = reasoning.batch("train", 0, 0, 20_000).targets[:, -1].numpy()
    share = np.bincount(answers, minlength=16) / len(answers)
    assert np.all(np.abs(share - final) < 5 * np.sqrt(final * (1 - final) / len(answers)))


def test_a_length_that_ends_within_a_step_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^reasoning: length = 15: must be one of 4, 6, "):
        reasoning.batch("train", 0, 0, 8, 15)
