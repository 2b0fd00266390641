"""Perception of a turn: what is a question, what asserts a fact, what asserts none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.mind.perceive import parser, perceive
from prism.mind.perceive import sentences as reading
from prism.mind.working import WorkingMemory
from tests.mind.parsed import needs_parser


def facts(turn: str) -> set[tuple[str, str, str]]:
    """The facts of a turn in a conversation of its own."""
    memory = WorkingMemory()
    memory.next_turn()
    found = perceive(turn, memory.resolve, memory.names(), memory.heard)
    return {(f.subject, f.relation, f.object) for s in found for f in s.facts}


def kinds(turn: str) -> list[str]:
    return [sentence.kind for sentence in perceive(turn)]


def test_sentences_end_at_full_stops_but_not_after_titles():
    turn = "Dr. Amari is my vet. Is she in? Yes; her room is 4"
    assert list(reading.split(turn)) == [
        "Dr. Amari is my vet.", "Is she in?", "Yes; her room is 4",
    ]  # fmt: skip


@needs_parser
def test_parts_of_a_sentence_are_read_apart_and_kept_as_one():
    said = perceive("Ezekiel has left the band; our drummer is Wanda now")
    assert [s.text for s in said] == ["Ezekiel has left the band;", "our drummer is Wanda now"]
    kept = [remark.text for s in said for remark in s.remarks]
    assert kept == ["Ezekiel has left the band; our drummer is Wanda now."]


@needs_parser
def test_what_has_ended_is_kept_and_is_no_fact():
    (said,) = perceive("I am not friends with Kyle anymore, my best friend is Benji.")
    assert [remark.text for remark in said.remarks] == [said.text]
    assert all(fact.object != "Kyle" for fact in said.facts)


@needs_parser
@pytest.mark.parametrize(
    "turn",
    [
        "Ines is neither a doctor nor a nurse.",
        "Ines hardly ever drinks tea.",
        "Few people in Elbonia speak Dutch.",
        "It's false that Ines is a doctor.",
        "It is untrue that Ines lives in Rome.",
    ],
)
def test_what_is_denied_is_no_fact_and_is_not_kept(turn):
    assert not any(s.facts or s.remarks for s in perceive(turn))


@needs_parser
def test_what_is_told_apart_from_something_else_is_a_fact():
    assert ("Ines", "profession", "doctor") in facts("Ines is a doctor, not a nurse.")


@needs_parser
def test_what_is_joined_by_and_is_two_facts():
    assert facts("Ines is a doctor and a nurse.") == {
        ("Ines", "profession", "doctor"), ("Ines", "profession", "nurse"),
    }  # fmt: skip


@given(st.text(max_size=80))
def test_any_text_is_perceived_and_no_word_of_it_is_lost(text):
    words = "".join(s.text for s in perceive(text))
    assert "".join(words.split()) == "".join(text.split())


@pytest.mark.parametrize(
    "question",
    [
        "What is the capital of Freedonia?",
        "who runs Acme",
        "is Rex a dog",
        "tell me where Tom lives",
    ],
)
def test_a_question_needs_no_question_mark(question):
    assert kinds(question) == ["question"]


@needs_parser
@pytest.mark.parametrize(
    ("turn", "expected"),
    [
        ("My sister's cat is called Momo.", {("me/sister", "cat", "Momo")}),
        ("the capital of freedonia is fredville", {("freedonia", "capital", "fredville")}),
        ("Fredville is Freedonia's capital.", {("Freedonia", "capital", "Fredville")}),
        ("Acme was founded by Nim Vole.", {("Acme", "founder", "Nim Vole")}),
        ("I'm allergic to nuts and eggs.", {("me", "allergic to", o) for o in ("nuts", "eggs")}),
        ("In Utopia people speak Dutch.", {("Utopia", "language", "Dutch")}),
        ("My wife's name is Ann.", {("me", "wife", "Ann")}),
        ("The company Anna works for is Acme.", {("Anna", "works for", "Acme")}),
        (
            "Tom, my dentist, was born in Cork.",
            {("me", "dentist", "Tom"), ("Tom", "birthplace", "Cork")},
        ),
        (
            "oh by the way boris moved to Sylvania last spring, he works for Acme now",
            {("Boris", "lives in", "Sylvania"), ("Boris", "works for", "Acme")},
        ),
    ],
)
def test_statements_of_many_forms_give_their_facts(turn, expected):
    assert facts(turn) == expected


@needs_parser
@pytest.mark.parametrize(
    "turn",
    [
        "If Boris were the king of Sylvania I'd eat my hat.",  # hypothetical
        "Helga isn't a nurse.",  # negation
        "Nobody here speaks Dutch.",
        "Tom says Anna lives in Bonn.",  # hearsay
        '"My name is Inigo Montoya," said the man.',  # quotation
        "In the novel, the detective lives in Baker Street.",  # fiction
        "Please close the window.",  # order
        "I wish my house were bigger.",  # wish
        "Next year Pavel is moving to Graz.",  # plan
        "I used to live in Hamburg.",  # past
        "I lived in Rome for two years.",
        "Maybe Pavel works for Acme.",  # hedge
        "Jazz is the best music in the world.",  # opinion
        "All dogs go to heaven.",  # in general
        "> It rains. The capital of Utopia is Amaurote.",  # pasted
        "See:\n```\nThe capital of Utopia is Amaurote.\n```",
    ],
)
def test_what_the_speaker_does_not_assert_gives_no_fact(turn):
    assert facts(turn) == set()


@needs_parser
def test_a_clause_beside_a_negated_one_is_still_asserted():
    assert facts("Petra doesn't eat pork but she loves fish.") == {("Petra", "likes", "fish")}


@needs_parser
def test_a_hedged_statement_is_kept_as_what_it_would_state():
    sentence = perceive("I think Boris plays chess.")[0]
    assert sentence.kind == "other"
    doubted = reading.doubted(sentence, lambda word, before: None)
    assert [(f.subject, f.relation, f.object) for f in doubted] == [("Boris", "plays", "chess")]


@needs_parser
def test_no_word_of_a_turn_stays_in_the_parser():
    perceive("My sister's cat is called Zyxomma.")
    assert "Zyxomma" not in parser.load().vocab.strings and parser.parse.cache_info().currsize == 0


@needs_parser
@pytest.mark.parametrize(
    ("turn", "facts"),
    [
        ("im allergic to pollen", [("me", "allergic to", "pollen")]),
        ("Hi, I'm Ruben.", [("me", "name", "Ruben")]),
        ("Granny was born in Porto.", [("me/granny", "birthplace", "Porto")]),
        ("Everybody calls me Pip.", [("me", "name", "Pip")]),
        ("The alarm code is 77-12-9.", [("alarm", "code", "77-12-9")]),
        ("Tom drives a shiny old Saab 900.", [("Tom", "drives", "Saab 900")]),
        ("Our treasurer, Nia Holt, swims.", [("me", "treasurer", "Nia Holt")]),
        ("The tower is 90 metres tall, my uncle measured it.", [("tower", "height", "90 metres")]),
        ("Tom runs Brontex.", [("Brontex", "head", "Tom")]),
        ("Tom owns a ferret called Bix. He parks at St. Olaf's.", [("Tom", "ferret", "Bix")]),
        ("St. Olaf's was designed by Ida Renn.", [("St. Olaf's", "designer", "Ida Renn")]),
        ("The lift is made by company Otter.", [("lift", "maker", "Otter")]),
        ("The parking costs 4 euros a day.", [("parking", "price", "4 euros a day")]),
        ("The shop opens at half past six.", [("shop", "opens at", "half past six")]),
        ("She's got a ferret.", []),  # kept as a sentence alone
        ("Tom has a boat.", []),
        ("The novel's plot: Tom is married to Ann.", []),
        ("Write a song about a girl whose father is a sailor.", []),
    ],
)
def test_forms_that_another_author_used(turn, facts):
    found = [
        (f.subject, f.relation, f.object) for sentence in perceive(turn) for f in sentence.facts
    ]
    assert found[: len(facts)] == facts if facts else found == []


@needs_parser
@pytest.mark.parametrize(
    "turn",
    [
        "The director until May is Tina.",
        "My boss is Greta until the end of June.",
        "Our landlord till next March is Mr Pettigrew.",
        "Kim works for Acme from March to June.",
        "From 2024 to 2027 Kim works for Acme.",
        "Kim works for Acme through the summer.",
        "Kim works for Acme from 3 May.",
        "Anna lives in Rome until the house is ready.",
    ],
)
def test_what_holds_for_a_time_is_no_fact_and_is_kept_as_it_was_said(turn):
    (said,) = perceive(turn)
    assert said.facts == () and len(said.remarks) == 1


@needs_parser
@pytest.mark.parametrize(
    ("turn", "fact"),
    [
        ("Kim, who was ill until May, lives in Oslo.", ("Kim", "lives in", "Oslo")),
        ("Since 2019 Kim has lived in Oslo.", ("Kim", "lives in", "Oslo")),
        ("Nora drives a van from Monday to Friday.", ("Nora", "drives", "van")),
        ("Nora works for Acme until 5 pm.", ("Nora", "works for", "Acme")),
        ("Ann moved from Porto to Graz.", ("Ann", "lives in", "Graz")),
    ],
)
def test_a_time_of_another_clause_or_of_every_day_bounds_nothing(turn, fact):
    assert fact in facts(turn)
