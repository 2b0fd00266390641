"""Questions over one fact and several, and questions that have no answer."""

from __future__ import annotations

import pytest

from prism.mind import KnowledgeBase, Mind, Source
from prism.mind.consolidate import Consolidation
from tests.mind.parsed import needs_parser

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


def said(kb, subject, relation, thing, text):
    kb.add(subject, relation, thing, source=Source("user", "you", None, text))


def test_the_sentence_of_a_fact_explains_a_question_in_its_words(tmp_path):
    with KnowledgeBase(tmp_path / "mind.db") as kb:
        said(kb, "Hermes", "gets", "strawberry", "Hermes gets a strawberry every Sunday.")
        said(kb, "Hermes", "home", "shed", "Hermes lives in the shed.")
        mind = Mind(kb)
        assert mind.ask("What does Hermes get on Sunday?").text == "strawberry"
        assert mind.ask("What did Hermes get on a former Sunday?").text is None
        assert mind.ask("What does Hermes get on Monday?").text in (None, "strawberry")


def test_a_thing_is_called_by_the_end_of_its_name_where_one_alone_has_it(tmp_path):
    with KnowledgeBase(tmp_path / "mind.db") as kb:
        kb.add("wizard Grumbold", "home", "oak")
        kb.add("me/choir", "teacher", "Ada")
        mind = Mind(kb)
        assert mind.ask("Where does Grumbold the wizard live?").text == "oak"
        assert mind.ask("Who is the teacher of the choir?").text == "Ada"
        kb.add("witch Grumbold", "home", "hut")
        assert mind.ask("Where does Grumbold live?").text is None


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Freedonia is a country whose capital is what?", "Fredville"),
        ("Fredville is the capital of what?", "Freedonia"),
        ("Whose capital is Fredville?", "Freedonia"),
    ],
)
def test_whose_asks_ahead_where_the_relation_is_what_is_asked(tmp_path, question, answer):
    with KnowledgeBase(tmp_path / "mind.db") as kb:
        kb.add("Freedonia", "capital", "Fredville")
        kb.add("Freedonia", "currency", "florin")
        assert Mind(kb).ask(question).text == answer


@needs_parser
def test_adjuncts_need_no_explanation_but_what_is_asked_does(tmp_path):
    with KnowledgeBase(tmp_path / "mind.db") as kb:
        kb.add("Freedonia", "currency", "florin")
        kb.add("Freedonia", "capital", "Fredville")
        mind = Mind(kb)
        asked = "In Freedonia, which currency do you need at the till?"
        assert mind.ask(asked).text == "florin"
        assert mind.ask("What is the anthem of the capital of Freedonia?").text is None


@pytest.fixture
def namesakes(tmp_path):
    """Two people of one first name, and a user with two brothers."""
    facts = """
    Anna Weber|lives in|Graz
    Anna Kovacs|lives in|Pecs
    Anna Kovacs|age|34
    Anton|lives in|Bern
    Boris|lives in|Riga
    Boris|birthday|3 May
    Freedonia|capital|Fredville
    """
    with KnowledgeBase(tmp_path / "mind.db") as kb:
        for line in facts.strip().splitlines():
            kb.add(*line.strip().split("|"), source=Source("user", "you"))
        for name in ("Anton", "Boris"):
            kb.add("me", "brother", name, source=Source("user", "you"), many=True)
        yield Mind(kb)


@pytest.mark.parametrize(
    ("question", "note"),
    [
        (
            "Where does Anna live?",
            "Anna may be Anna Kovacs or Anna Weber; Anna Kovacs: Pecs; Anna Weber: Graz",
        ),
        (
            "how old is anna?",
            "anna may be Anna Kovacs or Anna Weber; Anna Kovacs: 34; Anna Weber: not known",
        ),
        (
            "What does Anna eat?",
            "Anna may be Anna Kovacs or Anna Weber; of none of them that is known",
        ),
    ],
)
def test_a_first_name_that_two_people_have_is_asked_back_with_both(namesakes, question, note):
    answer = namesakes.ask(question)
    assert (answer.text, answer.note) == (None, note)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Where does my brother live?", "Anton: Bern, Boris: Riga"),
        ("When is my brother's birthday?", "Boris: 3 May"),
        ("Who is my brother?", "Anton, Boris"),
        ("Where does Anna Weber live?", "Graz"),
        ("Where does Anna Schmidt live?", None),
        ("What is the capital of Freedonia?", "Fredville"),
    ],
)
def test_an_answer_about_one_of_two_names_the_one(namesakes, question, answer):
    assert namesakes.ask(question).text == answer


@needs_parser
def test_of_two_brothers_a_sentence_alone_names_the_one_it_is_of(namesakes):
    talk = Consolidation(namesakes.kb)
    talk.turn("Boris parked behind the mill.")
    assert talk.turn("Where did my brother park?").questions
    answer = namesakes.ask("Where did my brother park?")
    assert answer.text is None and answer.choices == ("Boris: mill",)
    assert answer.note.startswith("my brother may be Anton or Boris; Boris: mill; Anton: not known")


@needs_parser
@pytest.mark.parametrize("question", ["What does Clara do?", "What does Boris's wife do?"])
def test_what_somebody_does_is_a_profession(mind, question):
    assert mind.ask(question).text != "Clara"
    mind.kb.add("Clara", "profession", "diver", source=Source("user", "you"))
    assert mind.ask(question).text == "diver"


def test_the_speaker_is_not_called_my(mind):
    assert mind.ask("Who is my neighbour?").note.startswith("about you nothing is known")


@pytest.mark.parametrize(
    ("question", "answer", "note"),
    [
        ("Is Boris the mayor of Fredville?", "yes", ""),
        ("Isn't the capital of Freedonia Fredville?", "yes", ""),
        ("Is Oldtown the capital of Freedonia?", None, ""),
        ("Is Boris born in Sylvania?", None, ""),
        ("Do you know the capital of Freedonia?", "Fredville", ""),
    ],
)
def test_whether_something_is_so_is_answered_with_yes_or_told(mind, question, answer, note):
    found = mind.ask(question)
    assert found.text == answer and note in found.note
