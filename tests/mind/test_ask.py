"""Questions over one fact and several, and questions that have no answer."""

from __future__ import annotations

import pytest

from prism.mind import KnowledgeBase, Mind, Source

FACTS = """
Freedonia|capital|Fredville
Freedonia|currency|peso
Freedonia|president|Anna Ruiz
Fredville|country|Freedonia
Fredville|mayor|Boris
Boris|home|Oldtown
Boris|birthplace|Newtown
Oldtown|country|Sylvania
Sylvania|currency|crown
Boris|spouse|Clara
Clara|employer|Acme
Acme|headquarters|Fredville
Acme|ceo|Anna Ruiz
me/sister|cat|Momo
Momo|eats|broccoli
"""


@pytest.fixture
def mind(tmp_path):
    """A mind with the facts above."""
    with KnowledgeBase(tmp_path / "mind.db") as kb:
        for line in FACTS.strip().splitlines():
            kb.add(*line.split("|"), source=Source("user", "you"))
        yield Mind(kb)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is the capital of Freedonia?", "Fredville"),
        ("What is the currency of the country whose capital is Fredville?", "peso"),
        ("What is the currency of the country where Boris lives?", "crown"),
        ("where does the wife of the mayor of fredville work", "Acme"),
        ("Which company does Anna Ruiz run?", "Acme"),
        ("Which country does Anna Ruiz run?", "Freedonia"),
        ("What does my sister's cat eat?", "broccoli"),
    ],
)
def test_the_path_that_explains_every_word_is_the_answer(mind, question, answer):
    assert mind.ask(question).text == answer


@pytest.mark.parametrize(
    "question",
    [
        "What was the former currency of Freedonia?",
        "What currency did Freedonia used to have?",
        "What is the population of Freedonia?",
        "What is the capital of Zamunda?",
        "What is the capital of Fredville?",
        "What is your name?",
        "",
    ],
)
def test_what_nothing_explains_has_no_answer(mind, question):
    answer = mind.ask(question)
    assert answer.text is None and answer.confidence == 0 and answer.note


def test_each_hop_names_its_fact_words_and_source(mind):
    answer = mind.ask("What is the currency of the country whose capital is Fredville?")
    first, second = answer.hops
    assert (first.subject, first.object, first.back) == ("Freedonia", "Fredville", True)
    assert (second.relation, second.words, second.source.uri) == ("currency", "currency", "you")
    assert first.z is not None and first.z > 5
    assert answer.sources == (Source("user", "you"),)


def test_a_thing_without_a_name_is_walked_through(tmp_path):
    with KnowledgeBase(tmp_path / "mind.db") as kb:
        kb.add("me/sister/cat", "eats", "broccoli")
        kb.add("Anna/dog", "breed", "poodle")
        mind = Mind(kb)
        assert mind.ask("What does my sister's cat eat?").text == "broccoli"
        assert mind.ask("Which breed is the dog of Anna?").text == "poodle"
        assert mind.ask("What is my sister's cat?").text is None


def test_a_pronoun_means_the_latest_thing_of_which_the_question_can_be_asked(mind):
    context = ["Fredville", "Freedonia"]
    assert mind.ask("Who is its mayor?", context).text == "Boris"
    assert mind.ask("What is its currency?", context).text == "peso"
    assert mind.ask("What is its currency?").text is None


def test_the_past_is_answered_as_it_was_believed(tmp_path):
    with KnowledgeBase(tmp_path / "mind.db") as kb:
        then = kb.add("Freedonia", "capital", "Fredville").fact.recorded_at
        kb.add("Freedonia", "capital", "Newtown")
        mind = Mind(kb)
        assert mind.ask("What is the capital of Freedonia?").text == "Newtown"
        assert mind.ask("What is the capital of Freedonia?", at=then).text == "Fredville"


def test_two_meanings_are_asked_back(tmp_path):
    with KnowledgeBase(tmp_path / "mind.db") as kb:
        kb.add("Boris", "boss", "Anna")
        kb.add("Boris", "manager", "Clara")
        answer = Mind(kb).ask("Who is Boris's supervisor?")
        assert answer.outcome == "ambiguous" and answer.text is None
        assert "Anna" in answer.note and "Clara" in answer.note
