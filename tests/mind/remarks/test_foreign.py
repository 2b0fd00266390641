"""Questions that nothing said answers: no other thing's sentence answers in its place."""

from __future__ import annotations

import pytest

from prism.mind import KnowledgeBase, Mind
from prism.mind.consolidate import Consolidation
from tests.mind.parsed import needs_parser

pytestmark = needs_parser
SAID = (
    "My brother is Otto.",
    "Otto lives in Tampere.",
    "Otto's wife is Irma.",
    "Irma was born in Kassel.",
    "The capital of Elbonia is Elbford.",
    "My dog is called Wolly.",
)


@pytest.fixture(scope="module")
def mind(tmp_path_factory):
    with KnowledgeBase(tmp_path_factory.mktemp("foreign") / "mind.db") as kb:
        talk = Consolidation(kb)
        for sentence in SAID:
            talk.turn(sentence)
        yield Mind(kb)


@pytest.mark.parametrize(
    "question",
    [
        "Where was Otto born?",  # his wife was
        "When was Irma born?",  # a place is no time
        "Where do I live?",  # the brother does
        "Who is my sister?",
        "Who is my wife?",
        "Who is Otto's mother?",
        "What is the capital of Ruritania?",
        "What is the currency of Elbonia?",
        "How tall is Otto?",
        "What was Otto's previous home?",
        "What is the former capital of Elbonia?",
        "What does Irma eat?",
    ],
)
def test_another_things_sentence_is_no_answer(mind, question):
    assert mind.ask(question).text is None


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Where was Irma born?", "Kassel"),
        ("Where was Otto's wife born?", "Kassel"),
        ("Where does my brother live?", "Tampere"),
        ("Who is my brother?", "Otto"),
        ("What is my dog called?", "Wolly"),
        ("What is the capital of Elbonia?", "Elbford"),
    ],
)
def test_what_was_said_is_still_found(mind, question, answer):
    assert mind.ask(question).text == answer


@pytest.mark.parametrize(
    ("turns", "question", "answer"),
    [
        (("Ida works for Acme.", "Ida no longer works for Acme."), "Who does Ida work for?", None),
        (("Ida works for Acme.", "Ida no longer works for Zed."), "Who does Ida work for?", "Acme"),
        (("Ida plays the flute.", "Ida stopped playing the flute."), "What does Ida play?", None),
        (("My boss is Greta.", "Greta isn't my boss any more."), "Who is my boss?", None),
    ],
)
def test_a_sentence_that_says_what_is_over_is_no_answer(tmp_path, turns, question, answer):
    with KnowledgeBase(tmp_path / "mind.db") as kb:
        talk = Consolidation(kb)
        for turn in turns:
            talk.turn(turn)
        assert Mind(kb).ask(question).text == answer
