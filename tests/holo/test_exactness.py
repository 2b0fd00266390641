"""Forgetting, updating and merging are exact: the accumulator is bit for bit that of a tape that
never stored the fact, or was built at once, in any order."""

from __future__ import annotations

import copy
import random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.holo import HoloTape

SHAPES: list[dict[str, Any]] = [
    {"dim": 64, "overfill": True},
    {"dim": 64, "banks": 3, "dtype": "int16", "overfill": True},
    {"dim": 96, "banks": 2, "dtype": "int32", "layers": 4, "decoder": "amp", "overfill": True},
    {"dim": 64, "banks": 2, "dtype": "int16", "sequence": True, "overfill": True},
    {
        "dim": 64,
        "banks": 2,
        "dtype": "int16",
        "values": [f"v{i}" for i in range(20)],
        "overfill": True,
    },
]
FACTS = st.dictionaries(st.integers(0, 30), st.integers(0, 19), max_size=15)


def build(shape: dict[str, Any], facts: dict[int, int]) -> HoloTape:
    tape = HoloTape(**shape)
    tape.bind_many(list(facts), [value_of(shape, v) for v in facts.values()])
    return tape


def value_of(shape: dict[str, Any], value: int) -> Any:
    if shape.get("sequence"):
        return tuple(f"v{value}" for _ in range(value % 4))
    return f"v{value}"


def shuffled(facts: dict[int, int], seed: int = 0) -> dict[int, int]:
    items = list(facts.items())
    random.Random(seed).shuffle(items)
    return dict(items)


def same(a: HoloTape, b: HoloTape) -> bool:
    listed = {(k, v) for k, v, _, _ in a.facts()} == {(k, v) for k, v, _, _ in b.facts()}
    return (
        torch.equal(a.accumulator.numbers, b.accumulator.numbers) and listed and a.count == b.count
    )


@pytest.mark.parametrize("shape", SHAPES)
@given(FACTS, st.data())
def test_forgetting_leaves_what_never_knew(shape: dict, facts: dict, data: st.DataObject) -> None:
    gone = data.draw(st.sets(st.sampled_from(sorted(facts)))) if facts else set()
    tape = build(shape, facts)
    tape.forget_many(list(gone))
    rest = {k: v for k, v in facts.items() if k not in gone}
    assert same(tape, build(shape, shuffled(rest)))
    assert all(key not in tape for key in gone)
    assert tape.audit().consistent


@pytest.mark.parametrize("shape", SHAPES)
@given(FACTS, FACTS)
def test_updating_is_as_if_only_the_last_value_was_bound(
    shape: dict, facts: dict, later: dict
) -> None:
    tape = build(shape, facts)
    for key in shuffled(later):
        if key in facts:
            tape.update(key, value_of(shape, later[key]))
        else:
            tape.bind(key, value_of(shape, later[key]))
    assert same(tape, build(shape, facts | later))
    assert tape.audit().consistent


@pytest.mark.parametrize("shape", SHAPES)
@given(FACTS, FACTS)
def test_a_merge_is_a_tape_built_at_once(shape: dict, a: dict, b: dict) -> None:
    agreed = b | {k: a[k] for k in a.keys() & b.keys()}
    ours, theirs = build(shape, a), build(shape, shuffled(agreed))
    untouched = copy.deepcopy(theirs)
    report = ours.merge(theirs)
    assert same(ours, build(shape, shuffled(a | agreed, 1)))
    assert (report.added, report.duplicates) == (len(agreed.keys() - a), len(agreed.keys() & a))
    assert same(theirs, untouched)
    assert ours.audit().consistent


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rule", ["ours", "theirs", "newest"])
@given(FACTS, FACTS, st.booleans())
def test_a_conflict_is_resolved_by_the_rule(
    shape: dict, rule: str, a: dict, b: dict, we_are_newer: bool
) -> None:
    ours, theirs = HoloTape(**shape), HoloTape(**shape)
    for tape, facts, time in ((ours, a, float(we_are_newer)), (theirs, b, 0.5)):
        tape.bind_many(list(facts), [value_of(shape, v) for v in facts.values()], time=time)
    report = ours.merge(theirs, rule)
    keep_ours = rule == "ours" or (rule == "newest" and we_are_newer)
    assert same(ours, build(shape, b | a if keep_ours else a | b))
    differ = {k for k in a.keys() & b.keys() if value_of(shape, a[k]) != value_of(shape, b[k])}
    assert {c.key for c in report.conflicts} == {int(h) for h in ours.hash(sorted(differ))}
    assert {c.kept for c in report.conflicts} <= {"ours" if keep_ours else "theirs"}


@given(FACTS, FACTS, FACTS)
def test_the_order_of_merging_does_not_matter(a: dict, b: dict, c: dict) -> None:
    shape = SHAPES[1]
    b, c = b | {k: a[k] for k in a.keys() & b.keys()}, c
    c = c | {k: (a | b)[k] for k in (a | b).keys() & c.keys()}
    left, right = build(shape, a), build(shape, c)
    left.merge(build(shape, b))
    left.merge(build(shape, c))
    right.merge(build(shape, b))
    right.merge(build(shape, a))
    assert same(left, right)


def test_random_matched_operations_leave_the_register_zero() -> None:
    rng = np.random.default_rng(0)
    tape = HoloTape(256, 8, dtype="int16", values=50)
    waiting, bound = list(rng.permutation(5000)), []
    while waiting or bound:
        n = int(rng.integers(1, 300))
        if waiting and (not bound or rng.random() < 0.5):
            now, waiting = waiting[:n], waiting[n:]
            tape.bind_many(np.array(now), rng.integers(0, 50, len(now)))
            bound += now
        else:
            rng.shuffle(bound)
            now, bound = bound[:n], bound[n:]
            tape.forget_many(np.array(now))
    assert not tape.accumulator.numbers.any()
    assert tape.count == 0


def test_without_a_ledger_the_same_algebra_is_exact() -> None:
    a, b = (HoloTape(64, 2, ledger=False, values=9, overfill=True) for _ in range(2))
    a.bind_many([1, 2], [3, 4])
    b.bind_many([5], [6])
    a.merge(b)
    a.forget(2, 4)
    whole = HoloTape(64, 2, ledger=False, values=9, overfill=True)
    whole.bind_many([5, 1], [6, 3])
    assert torch.equal(a.accumulator.numbers, whole.accumulator.numbers)
    assert a.count == whole.count == 2
