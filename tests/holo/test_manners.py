"""A tape behaves as Python's collections do: it takes what they are made of, lists its keys,
and is copied and pickled."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from prism import HoloTape

FACTS = {"port of A": "1", "port of B": "2", "port of C": "3"}


class Series:
    """Column of a table, as pandas and polars hand it over."""

    def __init__(self, things: list[Any]) -> None:
        self.things = things

    def to_numpy(self) -> np.ndarray:
        return np.array(self.things, dtype=object)


GIVEN = {
    "list": list,
    "tuple": tuple,
    "generator": lambda things: (x for x in things),
    "iterator": iter,
    "view of a dict": lambda things: dict.fromkeys(things).keys(),
    "values of a dict": lambda things: dict(enumerate(things)).values(),
    "numpy text": lambda things: np.array(list(things)),
    "numpy objects": lambda things: np.array(list(things), dtype=object),
    "column": lambda things: Series(list(things)),
}


@pytest.mark.parametrize("name", GIVEN)
def test_keys_and_values_may_come_in_any_collection(name: str) -> None:
    make = GIVEN[name]
    tape = HoloTape(512, 2, resolver=True)
    assert tape.bind_many(make(FACTS), make(FACTS.values()), make(["s", "t", "u"])) == 3
    assert tape.keys() == list(FACTS)
    assert {type(key) for key in tape} == {type(f.value) for f in tape.facts()} == {str}
    assert [f.source for f in tape.facts()] == ["s", "t", "u"]
    assert [a.value for a in tape.recall_many(make(FACTS))] == ["1", "2", "3"]
    assert (tape.hash(make(FACTS)) == tape.hash(list(FACTS))).all()
    tape.forget_many(make(FACTS))
    assert tape.count == 0


def test_a_set_of_keys_can_be_asked_and_forgotten() -> None:
    tape = HoloTape(512, 2)
    tape.bind_many(FACTS.keys(), FACTS.values())
    asked = set(FACTS)
    answers = {a.key_used: a.value for a in tape.recall_many(asked)}
    assert answers == FACTS
    tape.forget_many(asked)
    assert tape.count == 0


@pytest.mark.parametrize("kind", [np.int8, np.uint64, np.int64])
def test_arrays_of_integers_are_keys_and_values(kind: type) -> None:
    tape = HoloTape(512, 2, values=100)
    tape.bind_many(np.arange(9, dtype=kind), torch.arange(9))
    assert [a.value for a in tape.recall_many(torch.arange(9))] == list(range(9))
    assert [tape[i] for i in range(9)] == list(range(9))


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("port of A", r"write \['port of A'\]"),
        (np.array([0.5]), "of dtype float64"),
        (5, "must be a list of keys"),
        (np.array([True]), "of dtype bool"),
    ],
)
def test_what_is_no_collection_of_keys_is_refused(keys: Any, says: str) -> None:
    tape = HoloTape(64)
    for act in (lambda: tape.recall_many(keys), lambda: tape.bind_many(keys, ["x"])):
        with pytest.raises(TypeError, match=says):
            act()


def test_a_tape_reads_as_a_mapping() -> None:
    tape = HoloTape(512, 2, resolver=True)
    assert not tape
    tape.bind_many(FACTS, FACTS.values())
    assert (len(tape), list(tape), dict(tape)) == (3, list(FACTS), FACTS)
    assert tape["port of A"] == "1"
    assert "port of A" in tape
    assert "prot of A" not in tape
    with pytest.raises(KeyError, match="'prot of A': is not bound"):  # no guessing here
        tape["prot of A"]
    hashes = HoloTape(512, 2)
    hashes.bind_many([1, b"x", "a"], ["1", "2", "3"])
    assert sorted(dict(hashes).values()) == ["1", "2", "3"]


SHAPES: list[dict[str, Any]] = [
    {},
    {"banks": 2, "resolver": True},
    {"decoder": "amp", "dtype": "int16", "layers": 2, "values": 40},
    {"sequence": True},
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("how", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_a_copy_has_the_facts_and_a_life_of_its_own(shape: dict, how: Any, tmp_path: Path) -> None:
    tape = HoloTape(512, **shape)
    tape.bind_many(["a", "b"], [1, 2])
    tape.recall("a")  # makes what is made at the first question
    copied = how(tape)
    assert list(copied.facts()) == list(tape.facts())
    assert copied.recall_many(["a", "b", "c"]) == tape.recall_many(["a", "b", "c"])
    copied.bind("c", 3)
    assert (copied.count, tape.count) == (3, 2)
    assert copied.audit().consistent
    copied.save(tmp_path / "copy")


def test_a_planned_tape_can_be_pickled() -> None:
    tape = pickle.loads(pickle.dumps(HoloTape.plan(facts=20, candidates=20)))
    tape.bind("a", "x")
    assert tape["a"] == "x"
