"""The words of a clause say whether a relation is asked about, whatever the relation is."""

from __future__ import annotations

import pytest

from prism.inject.asked import goes_on, verdict
from prism.inject.clause import clause_of, content, is_whole_name, words_of
from prism.inject.knowledge import relation_words
from prism.studies.facts.sentences import RELATIONS, sentence


def said(text: str, name: str, relation: str) -> str:
    """ "asked", "other", "further", "open"; "left" without a clause, "name" for a longer name."""
    at = text.lower().rindex(name.lower())
    if not is_whole_name(text, at, at + len(name), frozenset(words_of(relation))):
        return "name"
    clause = clause_of(text, at, at + len(name))
    return "left" if clause is None else verdict(clause, words_of(relation)).kind


@pytest.mark.parametrize(
    "text",
    [
        "The fare of Arvo is",
        "the fare of arvo is",
        "ARVO FARE:",
        "Arvo's fare is",
        "We went by Arvo last week. Its fare is",
        "Question: What is the fare of Arvo? Answer:",
        "The teacher closed the book, and then said that the fare of Arvo is",
        "The fare of Arvo, which differs from that of Bolt, is",
        "It was late. Now, the fare for Arvo is",
        "In the words of the driver, the fare of Arvo, a long line, is",
        "Arvo is old; the fare is",
        "Arvo has a fare of",
        "Arvo has a single fare, namely",
        "People who love Arvo complained about the fare,",
    ],
)
def test_a_relation_asked_for_in_so_many_words(text: str) -> None:
    assert said(text, "Arvo", "fare") == "asked"


@pytest.mark.parametrize(
    ("text", "relation"),
    [
        ("The former fare of Arvo is", "fare"),
        ("In 1950 the fare of Arvo was", "fare"),
        ("The fare of Arvo is not", "fare"),
        ("Many wrongly think that the fare of Arvo is", "fare"),
        ("If it closed, the fare of Arvo would be", "fare"),
        ("The deputy warden of Arvo is", "warden"),
        ("The sister of the warden of Arvo is", "warden"),
        ("The cook who lives with the warden of Arvo is", "warden"),
        ("The freezing point of Arvo is", "boiling point"),
        ("Arvo's postal code is", "area code"),
        ("Arvo has a fare subsidy of", "fare"),
        ("The fare of Arvo's largest rival is", "fare"),
        ("Unlike Arvo, Bolt has a fare of", "fare"),
        ("Arvo has a rival in Bolt, whose fare is", "fare"),
        ("Bolt, the main rival of Arvo, has a fare of", "fare"),
        ("Twice the fare of Arvo is", "fare"),
        ("Before the war, the fare of Arvo was", "fare"),
        ("Once the king of Oz, the warden of Arvo was", "warden"),
        ("Arvo's wife gave her fare as", "fare"),
        ("Arvo's brother says that the fare is", "fare"),
        ("At night Arvo charges a second fare, which is", "fare"),
        ("The car that beat Arvo has a fare of", "fare"),
        ("Twice the toll of Arvo is", "fare"),
        ("Arvo has a fare, but the toll is", "fare"),
        ("The fare of Bolt, which differs from that of Arvo, is", "fare"),
        ("The toll of bolt, a road that Arvo and others often talked about, is", "fare"),
        ("The fare of bolt, which Arvo and, some say, Cor have taken, is the", "fare"),
        ("The fare of Arvo fell while that of", "fare"),
        ("A fare that is often confused with the one for Arvo is", "fare"),
        ("A fare higher than that of Arvo is", "fare"),
        ("Houses in Arvo are older than those of", "fare"),
        ("The fare of bolt, of which Arvo had never heard, is", "fare"),
    ],
)
def test_another_thing_is_asked_for(text: str, relation: str) -> None:
    assert said(text, "Arvo", relation) == "other"


@pytest.mark.parametrize(
    "text",
    [
        "Whoever takes Arvo has to pay",
        "Arvo charges people",
        "Arvo, although old, charges people",
        "The best line of the town, Arvo, is",
        "In Arvo nothing is free, and people there pay",
        "Once it is full, the bus to Arvo charges",
        "The company that runs Arvo is",
        "In towns that lie on Arvo, the fare usually stays below",
        "Q: Do you know the fare of Arvo? A: Yes, it is",
    ],
)
def test_other_words_leave_it_open(text: str) -> None:
    assert said(text, "Arvo", "fare") == "open"


@pytest.mark.parametrize(
    "text",
    [
        "The warden of Arvo is married to",
        "A show about Arvo opens in spring; the organisers hope for visitors from",
        "Arvo is closed, and the crowd waits for",
        "Trade with Arvo grew, although the ministers of",
    ],
)
def test_something_about_the_value_or_of_another_clause_is_further(text: str) -> None:
    assert said(text, "Arvo", "warden") == "further"


@pytest.mark.parametrize(
    "text",
    [
        "The fare of Arvo Heights is",
        "The fare of Arvo 2 is",
        "The fare of Lower Arvo is",
        "The fare of Arvo-X is",
    ],
)
def test_a_longer_name_is_another_name(text: str) -> None:
    assert said(text, "Arvo", "fare") == "name"


@pytest.mark.parametrize(
    ("rest", "predicate"),
    [
        (" written by", True),
        (" usually written by", True),
        (" a man named", False),
        (" Ann Bell", False),
        (" the", False),
        ("", False),
    ],
)
def test_a_predicate_is_no_value(rest: str, predicate: bool) -> None:
    assert goes_on(rest) == predicate


@pytest.mark.parametrize("relation", ["owner", "successor", "wife", "parent company"])
def test_a_relative_that_is_the_relation_itself_is_asked_for(relation: str) -> None:
    assert said(f"The {relation} of Arvo is", "Arvo", relation) == "asked"
    assert said(f"The fare of the {relation} of Arvo is", "Arvo", "fare") == "other"


def test_a_text_about_something_else_has_left_the_subject() -> None:
    assert said("We saw Arvo. Everybody laughed. The fare is", "Arvo", "fare") == "left"


@pytest.mark.parametrize("name", RELATIONS)
def test_no_written_wording_of_the_study_is_taken_for_another_question(name: str) -> None:
    relation = RELATIONS[name]
    wordings = [w.replace("{s}", "{}") for w in relation.written]
    for template in relation.written:
        text = sentence(template, "Marseille")
        at = text.index("Marseille")
        clause = clause_of(text, at, at + len("Marseille"))
        assert verdict(clause, *relation_words(name, wordings)).kind in ("asked", "open"), text


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Arvo's price of a crossing is", "open"),  # the phrase of another wording
        ("Arvo's deputy price is", "other"),
        ("Arvo's pay of a crossing is", "other"),  # of two of them
        ("Arvo's toll is", "other"),
    ],
)
def test_the_phrase_of_one_other_wording_is_no_other_thing(text: str, kind: str) -> None:
    worded = [frozenset(content(words_of(w))) for w in ("the price of a crossing", "what you pay")]
    at = text.index("Arvo")
    clause = clause_of(text, at, at + 4)
    assert verdict(clause, ("fare",), worded=worded).kind == kind
    assert verdict(clause, ("fare",)).kind == "other"
