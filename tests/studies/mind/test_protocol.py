"""The generated world, the format of a set, and the measurements on a small one."""

from __future__ import annotations

import json
import os

import pytest

from prism.studies.facts.tables import INSTALL, available
from prism.studies.mind.asking import measured
from prism.studies.mind.dated import measured_changes
from prism.studies.mind.report import apart, compared, judged
from prism.studies.mind.sets import asked, load_set, right, unanswerable
from prism.studies.mind.taught import measured_pairs
from prism.studies.mind.world import INVERSE, RELATIONS, made

if os.environ.get("PRISM_TEST_MIND") and not available():
    raise ImportError(INSTALL)  # `make test-mind` cannot pass by skipping

needs_tables = pytest.mark.skipif(not available(), reason="needs the extra facts")
PARTS = {
    "questions": [
        {"text": "What is the capital of {country}?", "start": "country", "path": ["capital"]},
        {"text": "Which continent is {country} on?", "start": "country", "path": ["continent"]},
        {
            "text": "What is the hobby of the mayor of the capital of {country}?",
            "start": "country",
            "path": ["capital", "mayor", "hobby"],
        },
        {
            "text": "Who is the president of the country whose capital is {capital}?",
            "start": "capital",
            "path": ["capital_of", "president"],
        },
    ],
    "no_answer": [
        {"text": "What is the anthem of {country}?", "start": "country"},
        {"text": "Where was {stranger} born?", "start": "stranger"},
    ],
    "one_shot": [
        {"input": "how do I lock the gate", "output": "turn it", "reworded": "locking of the gate"},
        {"input": "who feeds the hens", "output": "Ada", "reworded": "who is feeding our hens"},
    ],
}


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.json"
    path.write_text(json.dumps(PARTS), "utf-8")
    return load_set(str(path))


@needs_tables
@pytest.mark.parametrize("facts", [300, 1_000, 20_000])
def test_a_world_has_about_so_many_facts_and_its_bijections_are_bijections(facts):
    world = made(facts, 0)
    assert len(world.facts) == pytest.approx(facts, rel=0.1)
    assert {r for _, r in world.facts} == {r for rs in RELATIONS.values() for r in rs}
    for relation in INVERSE:
        pairs = {s: o for (s, r), o in world.facts.items() if r == relation}
        assert len(set(pairs.values())) == len(pairs)
    assert made(facts, 0).facts == world.facts != made(facts, 1).facts


@needs_tables
def test_a_path_is_walked_ahead_and_back():
    world = made(300, 0)
    country = world.things["country"][0]
    capital = world.walk(country, ["capital"])
    assert world.walk(capital, ["capital_of"]) == country
    one, other = next((s, o) for (s, r), o in world.facts.items() if r == "spouse")
    assert world.walk(other, ["spouse"]) == one
    assert world.walk(country, ["hobby"]) is None


@needs_tables
def test_questions_of_a_set_name_things_of_the_world(small):
    world = made(300, 0)
    questions = asked(world, small, 0, each=2)
    assert len(questions) == 8 and all(q.start in q.text and q.answer for q in questions)
    strangers = [q for q in unanswerable(world, small, 0) if "born" in q.text]
    assert strangers[0].start not in world.things["person"]


@needs_tables
def test_the_arms_differ_where_they_should(small, tmp_path):
    arms = ["tape", "dict", "shuffled", "single pass"]
    rows = list(measured(small, 300, 0, arms, tmp_path, print))
    by_arm = {row["arm"]: row for row in rows}
    assert by_arm["tape"]["right"] == by_arm["dict"]["right"] == 1.0
    assert by_arm["tape"]["silent where there is none"] == 1.0
    assert by_arm["shuffled"]["right"] < 0.5
    assert by_arm["single pass"]["3 hops right"] == 0.0
    assert by_arm["tape"]["missed"] == []
    rows = [row | {"part": "questions"} for row in rows]
    assert compared(rows).row_count and judged(rows).row_count == 0  # bars hold at 1,000 facts


@needs_tables
def test_changes_are_answered_now_and_as_of_before(small, tmp_path):
    row = measured_changes(small, 300, 0, tmp_path, print)
    assert row["questions"] > 0 and row["stale"] == 0
    assert row["updated"] == row["as of"] == row["history"] == 1.0


@needs_tables
def test_pairs_are_measured_beside_their_controls(small):
    taught = measured_pairs(small, 10, 0, "words alone", print)
    assert taught["exact"] == taught["reworded"] == 1.0 and taught["unrelated unchanged"] == 1.0
    assert measured_pairs(small, 10, 0, "no pairs", print)["exact"] == 0.0


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([], "must be an object of lists"),
        ({"questions": [{"text": "?", "start": "country"}]}, r"questions\[0\]: must have"),
        ({"no_answer": [{"text": "{dog}?", "start": "dog"}]}, "start 'dog'"),
        ({"no_answer": [{"text": "?", "start": "city"}]}, "must hold {city}"),
    ],
)
def test_a_set_of_another_format_is_refused_in_one_line(tmp_path, parts, message):
    path = tmp_path / "set.json"
    path.write_text(json.dumps(parts), "utf-8")
    with pytest.raises(ValueError, match=message) as error:
        load_set(str(path))
    assert "\n" not in str(error.value)


def test_an_unknown_set_is_named():
    with pytest.raises(ValueError, match="set 'nine'"):
        load_set("nine")


def test_an_answer_is_right_in_any_capitals():
    assert right("the Crown", "crown") and right(None, None)
    assert right("31", ["room 31", "31"]) and not right("30", "31") and not right("31", None)


def test_the_tape_is_held_beside_the_dict_of_the_same_world():
    rows = [
        {"set": "s", "facts": 300, "seed": 0, "arm": "tape alone", "right": 0.5},
        {"set": "s", "facts": 300, "seed": 0, "arm": "dict", "right": 0.75},
        {"set": "s", "facts": 300, "seed": 1, "arm": "dict", "right": 0.75},
    ]
    assert [row["apart"] for row in apart(rows)] == [0.25]
