"""A plan holds what it promises, in as few bytes as it can, and says so."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from prism.holo import HoloTape
from prism.holo.capacity.evolution import joint_accuracy, safe_facts
from prism.holo.capacity.planning import plan


@pytest.mark.parametrize(
    ("facts", "candidates", "more"),
    [
        (1, 2, {}),
        (30, 1000, {}),
        (150, 1000, {"alpha": 1.0}),
        (2000, 300, {}),
        (3000, 1000, {"accuracy": 0.9, "alpha": 0.05}),
        (3000, 5000, {"dim": 512}),
    ],
)
def test_a_planned_tape_answers_as_promised(facts: int, candidates: int, more: dict) -> None:
    promised = more.get("accuracy", 0.99)
    right, rounds = 0, max(1, 600 // facts)
    for seed in range(rounds):
        tape = HoloTape.plan(facts, values=candidates, seed=seed, **more)
        values = np.random.default_rng(seed).integers(0, candidates, facts)
        tape.bind_many(np.arange(facts), values)
        answers = tape.recall_many(np.arange(facts), decoder="filter")
        right += sum(a.value == v for a, v in zip(answers, values, strict=True))
    n = rounds * facts
    assert right / n > promised - 4 * math.sqrt(promised * (1 - promised) / n)


@pytest.mark.parametrize(("facts", "layers"), [(2000, 1), (4000, 6)])
def test_amp_packs_the_same_facts_into_a_fraction(facts: int, layers: int) -> None:
    plain = plan(facts, 300)
    dense = HoloTape.plan(facts, values=300, decoder="amp", layers=layers)
    assert dense.accumulator.numbers.numel() * (3 + 2 * (layers > 1)) < plain.banks * plain.dim
    values = np.random.default_rng(0).integers(0, 300, facts)
    dense.bind_many(np.arange(facts), values)
    answers = dense.recall_many(np.arange(facts))
    assert np.mean([a.value == v for a, v in zip(answers, values, strict=True)]) >= 0.99


def test_more_facts_or_more_care_cost_more_bytes() -> None:
    sizes = [plan(n, 1000).nbytes for n in (10, 100, 1000, 10_000)]
    assert sizes == sorted(sizes)
    assert plan(5000, 1000, 0.999).nbytes > plan(5000, 1000, 0.9).nbytes
    assert plan(5000, 1000, alpha=0.001).nbytes > plan(5000, 1000, alpha=1.0).nbytes


def test_the_plan_says_its_bytes() -> None:
    p = plan(1_000_000, 10_000, alpha=1.0)
    assert p.nbytes == p.banks * p.dim
    assert p.nbytes < 45_000_000
    assert f"{p.nbytes:,} bytes" in str(p)
    assert p.accuracy >= 0.99


def test_the_integer_type_has_room_for_the_load() -> None:
    tape = HoloTape.plan(5000, values=100)
    tape.bind_many(np.arange(5000), np.arange(5000) % 100)
    capacity = tape.capacity()
    assert capacity.peak < capacity.room
    assert capacity.loads.sum() == 5000
    assert capacity.left >= 0


def test_capacity_is_where_measured_accuracy_is_99_percent() -> None:
    tape = HoloTape(1024, values=500)
    limit = tape.capacity().limit
    right = 0
    for seed in range(100):
        one = HoloTape(1024, values=500, seed=seed, overfill=True)
        values = np.random.default_rng(seed).integers(0, 500, limit)
        one.bind_many(np.arange(limit), values)
        right += int((one.read(one.hash(np.arange(limit))).ids == values).sum())
    n = 100 * limit
    assert abs(right / n - 0.99) < 4 * math.sqrt(0.99 * 0.01 / n)


def test_an_audit_says_what_is_measured_and_what_was_predicted() -> None:
    tape = HoloTape(1024, 4, dtype="int16", values=500)
    tape.bind_many(np.arange(150), np.arange(150))
    audit = tape.audit()
    assert audit.read == 150
    assert abs(audit.accuracy - audit.predicted) < 0.05
    assert audit.consistent
    assert tape.audit(sample=10).read == 10
    tape.accumulator.numbers[2, 5] += 1
    assert not tape.audit().consistent


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"facts": 0}, "facts = 0: must be an integer in 1..1,000,000,000"),
        ({"candidates": 1}, "candidates = 1: must be an integer >= 2"),
        ({"accuracy": 1.0}, r"accuracy = 1.0: must be in \(0, 1\)"),
        ({"alpha": 0.0}, r"alpha = 0.0: must be in \(0, 1\]"),
        ({"decoder": "magic"}, "decoder = 'magic'"),
        ({"dim": 8}, "dim = 8: must be None or an integer >= 64"),
        ({"layers": 0}, "layers = 0"),
        ({"layers": 2}, "layers = 2"),
        ({"facts": 1000, "dim": 64, "accuracy": 0.9999}, "dim = 64: too few numbers"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        plan(**({"facts": 10, "candidates": 100} | change))


def test_the_number_of_candidates_is_that_of_the_values() -> None:
    assert len(HoloTape.plan(10, values=["a", "b"]).vocabulary) == 2


def test_without_candidates_every_fact_may_have_its_own_value_and_keys_are_kept() -> None:
    tape = HoloTape.plan(1000)
    planned = plan(1000, 1000)
    assert (tape.config.dim, tape.config.banks) == (planned.dim, planned.banks)
    assert tape.config.resolver
    assert not HoloTape.plan(1000, 1000).config.resolver
    assert not HoloTape.plan(1, ledger=False).config.resolver


def test_capacity_of_a_joint_decoder_counts_uneven_loads() -> None:
    tape = HoloTape(2048, 13, values=1000, decoder="amp")
    even = 13 * safe_facts(2048, 1000)
    limit = tape.capacity(0.99).limit
    assert 0.85 * even < limit < 0.99 * even
    assert joint_accuracy(2048, limit, 1000, 13) >= 0.99 > joint_accuracy(2048, limit + 1, 1000, 13)
