"""Public promises of a tape: binding, asking, updating, forgetting, and the errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism import HoloTape


def snapshot(tape: HoloTape) -> tuple:
    facts = list(tape.facts()) if tape.ledger is not None else None
    return (
        tape.accumulator.numbers.clone().numpy().tobytes(),
        facts,
        len(tape.vocabulary),
        tape.count,
    )


def test_a_fact_is_bound_asked_updated_and_forgotten() -> None:
    tape = HoloTape.plan(facts=10_000, candidates=50_000, accuracy=0.99)
    tape.bind("capital of Freedonia", "Fredville", source="crm:42")
    answer = tape.recall("capital of Freedonia")
    assert (answer.value, answer.source, answer.method) == ("Fredville", "crm:42", "filter")
    assert answer.posterior > 0.999
    assert answer.p_value < 1e-9
    tape.update("capital of Freedonia", "Port Fred", source="crm:43")
    assert tape.recall("capital of Freedonia").value == "Port Fred"
    told = [(f.value, f.source) for f in tape.history("capital of Freedonia")]
    assert told == [("Fredville", "crm:42"), ("Port Fred", "crm:43")]
    tape.forget("capital of Freedonia")
    gone = tape.recall("capital of Freedonia")
    assert (gone.value, gone.method, gone.source) == (None, "ledger", None)
    assert not tape.accumulator.numbers.any()


@pytest.mark.parametrize(
    ("values", "bound"),
    [
        (None, ["a", "b", "a"]),
        (None, [1, "1", b"1"]),
        (["a", "b", "c"], ["c", "b", "a"]),
        ([4, "x", b"y"], [b"y", 4, "x"]),
        (1000, [999, 0, 1]),
        (1000, np.array([999, 0, 1])),
        (1000, torch.tensor([999, 0, 1])),
        (torch.tensor([[1, -1] * 256, [1] * 512, [1, 1, -1, -1] * 128]), [2, 0, 1]),
    ],
)
def test_values_come_back_as_they_were_bound(values: Any, bound: Any) -> None:
    tape = HoloTape(512, 2, values=values)
    tape.bind_many(["x", b"x", 7], bound)
    expected = [v if isinstance(v, str | bytes) else int(v) for v in bound]
    found = [r.value for r in tape.recall_many(["x", b"x", 7])]
    assert found == expected
    assert [type(v) for v in found] == [type(v) for v in expected]


@given(st.lists(st.lists(st.sampled_from("abcd"), max_size=6), max_size=8))
def test_sequences_of_any_length_come_back(values: list[list[str]]) -> None:
    tape = HoloTape(2048, 2, sequence=True)
    keys = [f"key {i}" for i in range(len(values))]
    tape.bind_many(keys, values)
    assert [r.value for r in tape.recall_many(keys)] == [tuple(v) for v in values]
    assert [f.value for f in tape.facts()] == [tuple(v) for v in values]
    assert tape.count == len(values)


def test_a_sequence_may_be_given_as_text_or_numbers() -> None:
    tape = HoloTape(2048, sequence=True, values=100)
    tape.bind("tokens", [5, 99, 5])
    tape.bind("array", np.array([1, 2]))
    tape.bind("one", 7)
    found = [r.value for r in tape.recall_many(["tokens", "array", "one", "none"])]
    assert found == [(5, 99, 5), (1, 2), (7,), None]


def test_a_lost_item_makes_the_whole_sequence_unknown() -> None:
    tape = HoloTape(64, sequence=True, values=500, ledger=False, overfill=True)
    tape.bind_many(list(range(60)), [(i, i + 1) for i in range(60)])
    answers = tape.recall_many(list(range(60)))
    assert any(a.value is None for a in answers)
    assert all(a.value is None or isinstance(a.value, tuple) for a in answers)


def test_binding_the_same_fact_again_changes_nothing() -> None:
    tape = HoloTape(64, 2)
    tape.bind("k", "v", source="first")
    before = snapshot(tape)
    assert tape.bind_many(["k", "k"], ["v", "v"], source="second") == 0
    assert snapshot(tape) == before


def test_a_bound_key_keeps_its_value_unless_told_otherwise() -> None:
    tape = HoloTape(512, 2)
    tape.bind("k", "old")
    before = snapshot(tape)
    with pytest.raises(ValueError, match="key 'k': is bound to 'old'; update it"):
        tape.bind_many(["new", "k"], ["x", "y"])
    assert snapshot(tape) == before
    assert tape.bind_many(["new", "k"], ["x", "y"], on_conflict="keep") == 1
    assert [r.value for r in tape.recall_many(["new", "k"])] == ["x", "old"]
    assert tape.bind_many(["k"], ["y"], on_conflict="replace") == 1
    assert tape.recall("k").value == "y"


BAD: list[tuple[str, dict[str, Any], Any, type[Exception], str]] = [
    ("an empty key", {}, lambda t: t.bind("", "v"), ValueError, "must not be empty"),
    ("an empty value", {}, lambda t: t.bind("k", ""), ValueError, "must not be empty"),
    ("a NaN value", {}, lambda t: t.bind("k", float("nan")), TypeError, "must be a str, bytes"),
    ("a float key", {}, lambda t: t.bind(0.5, "v"), TypeError, "key 0.5: must be"),
    ("no value", {}, lambda t: t.bind("k", None), TypeError, "must be a str, bytes or int"),
    ("too few values", {}, lambda t: t.bind_many(["a", "b"], ["v"]), ValueError, "1 values for 2"),
    (
        "a key twice with two values",
        {},
        lambda t: t.bind_many(["a", "a"], ["v", "w"]),
        ValueError,
        "key 'a': is given twice",
    ),
    (
        "a value that is not of the list",
        {"values": ["x", "y"]},
        lambda t: t.bind("k", "z"),
        ValueError,
        "value 'z': must be one of the 2",
    ),
    (
        "a number out of range",
        {"values": 10},
        lambda t: t.bind("k", 10),
        ValueError,
        "value 10: must be in 0..9",
    ),
    (
        "text for a number",
        {"values": 10},
        lambda t: t.bind("k", "x"),
        TypeError,
        "must be an integer below 10",
    ),
    ("updating the unknown", {}, lambda t: t.update("no", "v"), KeyError, "is not bound"),
    ("forgetting the unknown", {}, lambda t: t.forget("no"), KeyError, "'no': is not bound"),
    ("forgetting twice", {}, lambda t: t.forget_many(["k0", "k0"]), ValueError, "given twice"),
    ("forgetting with a value", {}, lambda t: t.forget("k0", "v"), ValueError, "the key alone"),
    (
        "sources that do not match",
        {},
        lambda t: t.bind_many(["a"], ["v"], source=["s", "t"]),
        ValueError,
        "2 sources for 1 keys",
    ),
    ("a source of another type", {}, lambda t: t.bind("a", "new", source=5), TypeError, "source"),
    ("an alpha of 2", {}, lambda t: t.recall("k0", 2.0), ValueError, r"must be in \(0, 1\]"),
    (
        "an unknown decoder",
        {},
        lambda t: t.recall("k0", decoder="magic"),
        ValueError,
        "must be one of filter, sic, amp",
    ),
    (
        "an unknown rule",
        {},
        lambda t: t.bind_many(["a"], ["v"], on_conflict="maybe"),
        ValueError,
        "on_conflict = 'maybe'",
    ),
]


@pytest.mark.parametrize(("what", "shape", "act", "error", "says"), BAD, ids=[b[0] for b in BAD])
def test_bad_input_says_what_is_wrong_and_changes_nothing(
    what: str, shape: dict, act: Any, error: type[Exception], says: str
) -> None:
    tape = HoloTape(64, 2, **shape)
    values = shape.get("values")
    tape.bind("k0", "v0" if values is None else values[0] if isinstance(values, list) else 0)
    before = snapshot(tape)
    with pytest.raises(error, match=says) as caught:
        act(tape)
    assert "\n" not in str(caught.value)
    assert snapshot(tape) == before


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ({"dim": 0}, "dim = 0: must be an integer"),
        ({"banks": -1, "dtype": "int8"}, "banks = -1"),
        ({"banks": 2, "dtype": "float32"}, "banks = 2: must be 1 where dtype is float32"),
        ({"dtype": "int4"}, "dtype = 'int4'"),
        ({"alpha": 0}, "alpha = 0"),
        ({"seed": -1}, "seed = -1"),
        ({"decoder": "amp", "ledger": False}, "decoder = 'amp': must be 'filter' without"),
        ({"layers": 3}, "layers = 3: must be 1 unless"),
        ({"resolver": True, "ledger": False}, "resolver = True"),
        ({"values": ["a"]}, "must hold >= 2"),
        ({"values": ["a", "a"]}, "distinct"),
        ({"values": 1}, "values = 1"),
        ({"values": torch.ones(3, 7)}, "must be"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(shape: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        HoloTape(**({"dim": 64} | shape))


def test_an_overflow_changes_nothing_at_all() -> None:
    tape = HoloTape(8, 1, dtype="int8", overfill=True)
    before = snapshot(tape)
    with pytest.raises(OverflowError, match="nothing was written"):
        tape.bind_many(list(range(30_000)), [f"v{i % 99}" for i in range(30_000)])
    assert snapshot(tape) == before
    tape.bind("still", "works")


def test_what_needs_a_ledger_says_so() -> None:
    tape = HoloTape(64, 2, ledger=False)
    tape.bind("k", "v")
    for act in (
        lambda: tape.update("k", "w"),
        lambda: tape.audit(),
        lambda: list(tape.facts()),
        lambda: tape.history("k"),
        lambda: "k" in tape,
        lambda: tape.recall("k", decoder="amp"),
    ):
        with pytest.raises(ValueError, match="no ledger"):
            act()
    with pytest.raises(ValueError, match="needs the value"):
        tape.forget("k")


def test_an_empty_tape_knows_nothing() -> None:
    tape = HoloTape(64)
    assert tape.recall("k").value is None
    assert tape.recall("k", decoder="filter").value is None
    assert tape.recall_many([]) == []
    assert tape.bind_many([], []) == 0
    assert list(tape.facts()) == []
    assert tape.audit().accuracy == 1


def test_it_says_its_size() -> None:
    tape = HoloTape(64, 2, dtype="int8")
    tape.bind("k", "v")
    assert "2 x 64 int8 = 128 bytes" in repr(tape)
    assert "1 facts" in repr(tape)
    capacity = tape.capacity()
    assert (capacity.facts, capacity.accumulator_bytes, capacity.room) == (1, 128, 127)
    assert capacity.loads.sum() == 1
    assert capacity.peak == 1
