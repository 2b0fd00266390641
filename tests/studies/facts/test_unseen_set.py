"""Sets of unseen texts: their form is checked, and rates come with the Wilson interval."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prism.inject.trigger import Levels
from prism.studies.facts.replay import ActivationCache
from prism.studies.facts.unseen_set import (
    SHIFTS,
    Outcome,
    UnseenCase,
    load_set,
    measured_set,
    moved,
    rates,
    wilson,
)
from tests.inject import tiny


@pytest.mark.parametrize("name", ["one", "two", "three", "four"])
def test_the_sets_of_the_package_are_whole(name: str) -> None:
    chosen = load_set(name)
    assert (len(chosen.facts), len(chosen.cases)) == (40, 150)


def test_an_unknown_set_is_named() -> None:
    with pytest.raises(ValueError, match="five: no such set; must be four, one, three, two"):
        load_set("five")


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ({"kind": "k", "prompt": "p", "expect": "perhaps", "fact": 0}, "expect = 'perhaps'"),
        ({"kind": "k", "prompt": "p", "expect": "value", "fact": 7}, "fact = 7: must be one of 1"),
        ({"kind": "k", "expect": "value", "fact": 0}, "not a set of unseen texts"),
    ],
)
def test_a_set_of_another_form_is_refused(tmp_path: Path, case: dict, why: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"facts": [{"address": "a of b", "value": "c"}], "cases": [case]}))
    with pytest.raises(ValueError, match=why):
        load_set(str(path))


def test_a_set_is_measured_from_a_path_with_one_reading_for_the_whole_curve(tmp_path: Path) -> None:
    cases = [
        {"kind": "form", "prompt": "fare of Arvo is", "expect": "value", "fact": 0},
        {"kind": "unrelated", "prompt": "rain", "expect": "unchanged"},
    ]
    path = tmp_path / "mine.json"
    path.write_text(
        json.dumps({"facts": [{"address": "fare of Arvo", "value": "5"}], "cases": cases})
    )
    bare = tiny.attached(tiny.llama())
    readings, lines = ActivationCache(bare), []
    found = measured_set(bare, readings, load_set(str(path)), None, lines.append)
    assert (found["set"], len(found["cases"]), len(readings._kept)) == ("mine", 2, 2)
    assert [point["shift"] for point in found["curve"]] == list(SHIFTS)
    assert lines[0] == "  reading how the facts are asked for"


def test_rates_by_kind_and_over_all_wordings() -> None:
    def one(kind: str, right: bool, touched: int = 0) -> Outcome:
        return Outcome(UnseenCase(kind, "p", "value", 0), right, None, 10, touched)

    some = [one("wording, a", True), one("wording, b", False), one("unrelated", True, 1)]
    found = {row["kind"]: (row["rate"], row["count"]) for row in rates(some)}
    assert found["wording, all"] == (0.5, 2)
    assert found["positions of unrelated text, bit-identical"] == (0.9, 10)


def test_the_interval_is_wilsons() -> None:
    assert wilson(9, 10) == pytest.approx((0.5958, 0.9821), abs=1e-4)


def test_plain_questions_are_not_moved_along_the_curve() -> None:
    assert moved(Levels(), 0.5).asked == Levels().asked
    assert moved(Levels(), 0.5).open == Levels().open + 0.5
