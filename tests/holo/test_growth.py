"""Capacity follows what is stored: a tape grows from its ledger, exactly, or refuses; and recall
never contradicts the ledger."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from prism import HoloTape
from prism.holo.capacity.planning import predicted_accuracy
from prism.holo.capacity.room import Room, item_accuracy

KEYS = [f"port of site{i}x" for i in range(1000)]
PORTS = [str(8000 + i) for i in range(1000)]


def made_at_once(tape: HoloTape) -> HoloTape:
    """A tape of the shape of ``tape`` that is given all its facts at once."""
    large = HoloTape(**tape.config.to_dict())
    large.bind_many([f.key for f in tape.facts()], [f.value for f in tape.facts()])
    return large


@pytest.mark.parametrize("kept", [True, False])
def test_a_planned_tape_grows_with_its_facts_and_reads_them_all(kept: bool) -> None:
    tape = HoloTape.plan(facts=10, candidates=10, resolver=kept)
    before = tape.nbytes
    for low in range(0, 500, 25):
        tape.bind_many(KEYS[low : low + 25], PORTS[low : low + 25])
    answers = tape.recall_many(KEYS[:500])
    assert [a.value for a in answers] == PORTS[:500]
    assert np.mean([a.method == "filter" for a in answers]) >= 0.99
    assert tape.nbytes > before
    assert tape.audit().consistent
    assert 1 <= len(tape.growths) <= 7  # each makes room for twice as many
    assert str(tape.growths[0]).startswith("grew from 1 x 512 int8 to ")
    assert torch.equal(made_at_once(tape).accumulator.numbers, tape.accumulator.numbers)


def test_the_default_tape_takes_a_thousand_facts_one_by_one() -> None:
    tape = HoloTape()
    for key, port in zip(KEYS, PORTS, strict=True):
        tape.bind(key, port)
    answers = tape.recall_many(KEYS, fallback=False)
    assert np.mean([a.value == port for a, port in zip(answers, PORTS, strict=True)]) >= 0.99
    assert [a.value for a in tape.recall_many(KEYS)] == PORTS


SHAPES: list[dict[str, Any]] = [
    {"dim": 64},
    {"dim": 64, "banks": 3, "dtype": "int8"},
    {"dim": 96, "banks": 2, "dtype": "int32", "layers": 4, "decoder": "amp", "values": 40},
    {"dim": 64, "decoder": "sic", "values": 40},
    {"dim": 64, "banks": 2, "sequence": True},
    {"dim": 64, "banks": 2, "values": [f"v{i}" for i in range(40)]},
    {"dim": 64, "values": torch.where(torch.rand(40, 64) < 0.5, -1, 1), "alpha": 1.0},
]


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=8)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 60)), max_size=80))
def test_a_grown_accumulator_is_number_by_number_one_that_was_made_so_large(
    shape: dict[str, Any], steps: list[tuple[bool, int]]
) -> None:
    tape, held = HoloTape(**shape), {}
    for forget, number in steps:
        value: Any = number % 40
        if not isinstance(shape.get("values"), int | torch.Tensor):
            value = (f"v{value}",) * (value % 3) if shape.get("sequence") else f"v{value}"
        if forget and number in held:
            tape.forget(number)
            del held[number]
        elif number not in held:
            tape.bind(number, value)
            held[number] = value
    assert tape.audit().consistent
    assert {f.key: f.value for f in tape.facts()} == {
        int(tape.hash([k])[0]): v for k, v in held.items()
    }
    assert [tape.recall(k).value for k in held] == list(held.values())
    if not isinstance(shape.get("values"), torch.Tensor):
        config = tape.config.to_dict()
        large = HoloTape(values=shape.get("values"), **config)
        large.bind_many(list(held), list(held.values()))
        assert torch.equal(large.accumulator.numbers, tape.accumulator.numbers)
        assert not large.growths


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ({"grow": False}, r"told not to grow \(grow\(True\), or ask --grow"),
        ({"ledger": False}, r"no ledger to be rebuilt from"),
    ],
)
def test_a_tape_that_may_not_grow_refuses_with_the_numbers(shape: dict, says: str) -> None:
    tape = HoloTape(256, 1, values=50, **shape)
    tape.bind_many(range(5), range(5))
    before = tape.accumulator.numbers.clone()
    with pytest.raises(ValueError, match=says) as caught:
        tape.bind_many(range(100, 200), [7] * 100)
    for number in ("1 x 256 float32", "105 items", "50 values", "99.0%", "nothing was bound"):
        assert number in str(caught.value)
    assert "\n" not in str(caught.value)
    assert torch.equal(tape.accumulator.numbers, before)
    assert tape.count == 5


def test_vectors_cannot_be_rebuilt_so_a_tape_that_holds_some_refuses() -> None:
    tape = HoloTape(256, values=50)
    tape.bind(torch.ones(256), torch.ones(256))
    with pytest.raises(ValueError, match="holds vectors"):
        tape.bind_many(range(100), [7] * 100)


def test_replacing_and_forgetting_need_no_room() -> None:
    tape = HoloTape(256, values=50, grow=False)
    most = tape.capacity(alpha=tape.config.alpha).limit
    tape.bind_many(range(most), [1] * most)
    with pytest.raises(ValueError, match="too full"):
        tape.bind(most, 1)
    tape.update(0, 2)
    tape.bind(0, 2)
    tape.forget(1)
    tape.bind(most, 1)
    assert tape.count == most


def test_an_old_overfull_tape_answers_from_its_ledger_and_grows_at_the_next_fact() -> None:
    tape = HoloTape(64, 1, dtype="int8", values=100, overfill=True)
    tape.bind_many(range(60), np.arange(60))
    silent = tape.recall_many(range(60), fallback=False)
    assert sum(a.value == i for i, a in enumerate(silent)) < 40
    answers = tape.recall_many(range(60))
    assert [a.value for a in answers] == list(range(60))
    by_ledger = [a for a in answers if a.method == "ledger"]
    assert len(by_ledger) >= 20
    assert {a.posterior for a in by_ledger} == {1.0}
    assert [a.value for a in tape.recall_many(range(60), alpha=1e-9)] == list(range(60))
    off = tape.recall_many(range(60), alpha=1e-9, fallback=False)
    assert all(a.value is None for a in off if a.method == "filter" and a.p_value > 1e-9)
    asked = tape.recall_many(range(60), decoder="filter")  # the accumulator alone, as ever
    assert {a.method for a in asked} == {"filter"}
    assert tape.recall(999).value is None
    assert tape.audit().right < 60  # the fallback is no right reading
    assert tape.capacity().predicted < 0.9


def test_the_ledger_answers_whole_sequences_too() -> None:
    tape = HoloTape(64, sequence=True, overfill=True)
    values = [tuple(f"w{i} {j}" for j in range(i % 5)) for i in range(20)]
    tape.bind_many(range(20), values)
    assert [a.value for a in tape.recall_many(range(20))] == values
    assert any(a.value is None for a in tape.recall_many(range(20), fallback=False))


def test_sequences_are_counted_by_items_and_come_back_whole() -> None:
    tape = HoloTape.plan(facts=40, candidates=500, sequence=True)
    long = [tuple(f"w{(7 * i + j) % 300}" for j in range(31)) for i in range(40)]
    tape.bind_many(range(40), long)
    tape.bind("one long", ["x"] * 400)
    tape.bind("short", ["3", "May", "1971"])
    answers = tape.recall_many([*range(40), "short"], fallback=False)
    assert [a.value for a in answers] == [*long, ("3", "May", "1971")]
    assert tape["one long"] == ("x",) * 400


def test_tapes_that_have_grown_apart_still_merge_and_the_sum_has_room() -> None:
    ours, theirs = HoloTape.plan(20, 20), HoloTape.plan(20, 20)
    ours.bind_many(KEYS[:40], PORTS[:40])
    theirs.bind_many(KEYS[30:500], PORTS[30:500])
    assert ours.config != theirs.config
    report = ours.merge(theirs)
    assert (report.added, report.duplicates, len(report.conflicts)) == (460, 10, 0)
    assert str(report.growth) == str(ours.growths[-1])
    assert [a.value for a in ours.recall_many(KEYS[:500])] == PORTS[:500]
    assert ours.audit().consistent
    assert torch.equal(made_at_once(ours).accumulator.numbers, ours.accumulator.numbers)


def test_numbers_that_are_too_narrow_grow_as_well() -> None:
    tape = HoloTape(2048, 1, dtype="int8", values=2, accuracy=0.5, alpha=1.0)
    tape.bind_many(range(3000), np.zeros(3000, np.int64))
    assert tape.count == 3000
    line = "grew from 1 x 2048 int8 to 2 x 2048 int16 for 3,000 items"
    assert [str(g) for g in tape.growths] == [line]
    assert tape.audit().consistent


@given(st.integers(1, 400), st.integers(2, 300), st.sampled_from([0.9, 0.99]))
def test_room_says_what_the_closed_form_says(items: int, size: int, level: float) -> None:
    room = Room(1024, 4, 0.01, "filter", 1)
    room.fits(50, 20, level)
    said = room.fits(items, size, level)
    exact = predicted_accuracy(1024, items, size, 4, 0.01, "filter", 1)
    assert said == (exact >= level) or abs(exact - level) < 1e-3


def test_a_long_fact_asks_more_of_each_item() -> None:
    assert item_accuracy(0.99, 10, 10) == 0.99
    assert item_accuracy(0.99, 32, 10) == pytest.approx(0.99 ** (1 / 4))
    assert item_accuracy(0.99, 10**9, 1) == 1 - 1e-7


def test_a_growth_that_fails_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    tape = HoloTape.plan(facts=5, candidates=5)
    tape.bind_many(range(5), range(5))
    before = (repr(tape), tape.fingerprint)

    def no_memory(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("prism.holo.growth.amplitude_of", no_memory)
    with pytest.raises(MemoryError):
        tape.bind_many(range(100, 200), range(100, 200))
    monkeypatch.undo()
    assert (repr(tape), tape.fingerprint, tape.growths) == (*before, [])
    assert [tape.recall(i, fallback=False).value for i in range(5)] == list(range(5))
    assert tape.audit().consistent
