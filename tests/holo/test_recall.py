"""Recall is calibrated: refusal at the rate that was asked for, probabilities that mean it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from prism.holo import HoloTape
from prism.holo.capacity.theory import accuracy


def filled(facts: int, dim: int = 2048, size: int = 1000, seed: int = 0, **config) -> tuple:
    tape = HoloTape(dim, 1, values=size, seed=seed, overfill=True, **config)
    values = np.random.default_rng(seed).integers(0, size, facts)
    tape.bind_many(np.arange(facts), values)
    return tape, values


@pytest.mark.parametrize("alpha", [0.1, 0.01])
@pytest.mark.parametrize("hashed", [True, False])
def test_unknown_keys_are_answered_at_the_rate_alpha(alpha: float, hashed: bool) -> None:
    tape = HoloTape(1024, 1, values=None if hashed else 100)
    names = [f"v{i}" for i in range(100)] if hashed else list(range(100))
    tape.bind_many(np.arange(40), [names[i % 100] for i in range(40)])
    tape.vocabulary.ids(names, grow=hashed)
    strangers = tape.hash(np.arange(10_000, 14_000))
    rate = tape.read(strangers, alpha).accepted.mean()
    assert abs(rate - alpha) < 4 * math.sqrt(alpha * (1 - alpha) / 4000)


def test_known_keys_are_answered_as_often_as_theory_says() -> None:
    dim, size, facts = 2048, 1000, 50
    right = 0
    for seed in range(40):
        tape, values = filled(facts, dim, size, seed)
        reading = tape.read(tape.hash(np.arange(facts)))
        right += int((reading.accepted & (reading.ids == values)).sum())
    n, p = 40 * facts, accuracy(dim, facts, size, 0.01)
    assert abs(right / n - p) < 4 * math.sqrt(p * (1 - p) / n)


def test_a_posterior_of_p_is_right_p_of_the_time() -> None:
    confidence, right = [], []
    for seed in range(30):
        tape, values = filled(62, seed=seed)  # the filter's 99% point
        hashes = tape.hash(np.arange(124))  # half of them are unknown
        reading = tape.read(hashes)
        confidence.append(reading.posterior)
        right.append(reading.ids == np.concatenate((values, np.full(62, -1))))
    p, ok = np.concatenate(confidence), np.concatenate(right)
    bins = np.minimum((p * 10).astype(int), 9)
    error = sum(abs(ok[bins == b].sum() - p[bins == b].sum()) for b in range(10)) / len(p)
    assert error < 0.01


def test_probabilities_of_best_value_and_unknown_leave_the_rest_to_other_values() -> None:
    tape, _ = filled(100)
    reading = tape.read(tape.hash(np.arange(200)))
    assert (reading.posterior + reading.unknown <= 1 + 1e-9).all()
    assert (reading.p_value >= 0).all()
    assert np.array_equal(reading.accepted, reading.p_value <= 0.01)


def test_an_alpha_of_one_refuses_nothing() -> None:
    tape, _ = filled(100)
    answers = tape.recall_many(np.arange(100), alpha=1, fallback=False)
    assert all(r.value is not None for r in answers)


def test_the_ledger_refuses_with_certainty_and_the_register_with_its_odds() -> None:
    tape, _ = filled(30)
    listed = tape.recall("never bound")
    assert (listed.value, listed.method, listed.posterior) == (None, "ledger", 1.0)
    read = tape.recall("never bound", decoder="filter")
    assert (read.value, read.method) == (None, "filter")
    assert 0.5 < read.posterior < 1


def test_the_calibration_does_not_need_a_ledger() -> None:
    with_, _ = filled(40)
    without, _ = filled(40, ledger=False)
    hashes = with_.hash(np.arange(80))
    for a, b in zip(
        vars(with_.read(hashes)).values(), vars(without.read(hashes)).values(), strict=True
    ):
        assert np.array_equal(a, b)


def test_batches_and_single_questions_agree() -> None:
    tape, _ = filled(100, dim=1024, size=3000)
    together = tape.recall_many(np.arange(150), fallback=False)
    alone = [tape.recall(i, fallback=False) for i in range(150)]
    assert [r.value for r in together] == [r.value for r in alone]
    assert np.allclose([r.posterior for r in together], [r.posterior for r in alone], atol=1e-5)


def test_one_fact_is_read_without_noise() -> None:
    tape = HoloTape(64, 1, values=9, seed=1)
    tape.bind("k", 4)
    answer = tape.recall("k")
    assert (answer.value, answer.posterior) == (4, pytest.approx(1.0))


@pytest.mark.parametrize("facts", [40, 90, 200])
def test_checking_the_listed_value_alone_says_what_scoring_all_says(
    facts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape = HoloTape(1024, 2, dtype="int16", overfill=True)
    tape.bind_many(range(facts), [f"v{i}" for i in range(facts)])
    plain = tape.recall_many(range(facts))
    monkeypatch.setattr("prism.holo.algebra.codebook.LARGE", 0)
    monkeypatch.setattr("prism.holo.algebra.codebook._Matrix.scores", None)  # and needs no matrix
    checked = tape.recall_many(range(facts))
    assert [r.value for r in checked] == [r.value for r in plain] == [f"v{i}" for i in range(facts)]
    by_filter = [np.mean([r.method == "filter" for r in answers]) for answers in (plain, checked)]
    # Expecting the others is more careful than scoring them: rare high scores make their mean.
    assert -0.02 <= by_filter[0] - by_filter[1] <= 0.1
    both = [(a, b) for a, b in zip(plain, checked, strict=True) if a.method == b.method == "filter"]
    assert len(both) > facts // 4
    gap = np.array([a.posterior - b.posterior for a, b in both])
    assert -0.02 <= gap.mean() <= 0.12
    p = np.array([(a.p_value, b.p_value) for a, b in both])
    assert np.allclose(p[:, 0], p[:, 1], rtol=1e-3, atol=1e-9)
