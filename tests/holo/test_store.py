"""A HoloTape is a fact store: a view that reads only the protocol follows every change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.holo import Fact, FactStore, HoloTape


class View:
    """A copy of a store's facts, renewed when its revision has changed."""

    def __init__(self, store: FactStore) -> None:
        self.store, self.seen, self.copies = store, -1, 0
        self.facts: dict[Any, Any] = {}

    def read(self) -> dict[Any, Any]:
        if self.seen != self.store.revision:
            self.facts = {fact.key: fact.value for fact in self.store.facts()}
            self.seen, self.copies = self.store.revision, self.copies + 1
        return self.facts


def store(**shape: Any) -> FactStore:
    return HoloTape(1024, 2, resolver=True, **shape)


def test_a_tape_is_a_fact_store_and_a_dict_is_none() -> None:
    assert isinstance(store(), FactStore)
    assert isinstance(store(decoder="amp"), FactStore)
    assert not isinstance({}, FactStore)


def test_a_fact_goes_through_its_life_by_the_protocol_alone() -> None:
    facts = store()
    facts.bind("capital of Freedonia", "Fredville", source="atlas", time=1.0)
    assert list(facts.facts()) == [Fact("capital of Freedonia", "Fredville", "atlas", 1.0)]
    assert (len(facts), "capital of Freedonia" in facts, "no" in facts) == (1, True, False)
    facts.update("capital of Freedonia", "Port Fred", source="news", time=2.0)
    answer = facts.recall("capital of Freedonia")
    assert (answer.value, answer.source) == ("Port Fred", "news")
    facts.forget("capital of Freedonia")
    assert (len(facts), list(facts.facts())) == (0, [])
    assert facts.recall("capital of Freedonia").value is None


@given(
    st.lists(
        st.tuples(st.sampled_from(["bind", "update", "forget"]), st.integers(0, 3), st.text("ab")),
        max_size=25,
    )
)
def test_a_view_by_revision_holds_what_a_dict_would(steps: list[tuple[str, int, str]]) -> None:
    facts, expected = store(), {}
    view = View(facts)
    for verb, number, text in steps:
        key, value = f"key {number}", f"value {text}"
        if verb == "bind" and expected.get(key, value) == value:
            facts.bind(key, value)
            expected[key] = value
        elif verb == "update" and key in expected:
            facts.update(key, value)
            expected[key] = value
        elif verb == "forget" and key in expected:
            facts.forget(key)
            del expected[key]
        assert view.read() == expected
        assert len(facts) == len(expected)
        assert all(facts.recall(key).value == value for key, value in expected.items())


@pytest.mark.parametrize(
    "act",
    [
        lambda s: s.bind("a", "1"),  # bound already
        lambda s: s.recall("a"),
        lambda s: list(s.facts()),
        lambda s: "a" in s,
    ],
)
def test_what_changes_nothing_renews_no_view(act: Callable[[FactStore], object]) -> None:
    facts = store()
    facts.bind("a", "1")
    view = View(facts)
    view.read()
    act(facts)
    view.read()
    assert view.copies == 1


def test_refusals_change_nothing() -> None:
    facts = store()
    facts.bind("a", "1")
    before = facts.revision
    with pytest.raises(ValueError, match="is bound to '1'"):
        facts.bind("a", "2")
    for act in (lambda: facts.update("b", "1"), lambda: facts.forget("b")):
        with pytest.raises(KeyError, match="is not bound"):
            act()
    assert facts.revision == before
    assert len(facts) == 1
