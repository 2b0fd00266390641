"""Sentences in their own words: what is kept, what answers, what is silent, what goes."""

from __future__ import annotations

import pytest

from prism.mind import KnowledgeBase, Mind
from prism.mind.consolidate import Consolidation
from prism.mind.perceive import parser
from prism.mind.records import SAID
from prism.mind.remarks.parse import parsed
from prism.mind.remarks.spans import said, spans
from tests.mind.parsed import needs_parser

pytestmark = needs_parser


@pytest.fixture
def told(tmp_path):
    """A base, and a function that says something to it and gives the answer to a question."""
    with KnowledgeBase(tmp_path / "mind.db") as kb:
        talk = Consolidation(kb)

        def say(*turns: str) -> None:
            for turn in turns:
                talk.turn(turn)

        yield kb, say


def test_a_sentence_without_a_fact_answers(told):
    kb, say = told
    say("I lent my drill to Osman.")
    answer = Mind(kb).ask("Who borrowed my drill?")
    assert answer.text == "Osman"
    assert answer.hops[0].relation == SAID
    assert answer.sources[0].text == "I lent my drill to Osman."
    assert 0 < answer.confidence <= 1


@pytest.mark.parametrize(
    "turn",
    [
        "Did I lend my drill to Osman?",
        "If I lent my drill to Osman, he would break it.",
        "I didn't lend my drill to Osman.",
        "I lived in Bremen years ago.",
        "Lend my drill to Osman.",
        "I think Osman has my drill.",
        "I wish Osman lived in Rome.",
        "In my opinion Osman has the nicest drill.",
    ],
)
def test_what_is_not_stated_is_not_kept(told, turn):
    kb, say = told
    say(turn)
    assert kb.remarks() == []


def test_a_pronoun_is_written_out(told):
    kb, say = told
    say("My violin teacher is Signora Bassi.", "She lives above the bakery.")
    assert "She" not in kb.remarks()[-1].object
    assert kb.remarks()[-1].object.endswith("lives above the bakery.")


def test_a_sentence_is_undone_with_its_turn_and_leaves_no_fact_count(told):
    kb, say = told
    say("I lent my drill to Osman.")
    assert len(kb) == 0 and kb.facts() == []
    kb.undo()
    assert kb.remarks() == []
    assert Mind(kb).ask("Who borrowed my drill?").text is None
    assert kb.view.agrees()


def test_erasing_a_name_takes_the_sentences_that_hold_it(told):
    kb, say = told
    say("I lent my drill to Osman.", "The drill cost 40 euros.")
    assert kb.erase(subject="Osman") == 1
    assert [fact.object for fact in kb.remarks()] == ["The drill cost 40 euros."]
    assert b"Osman" not in b"".join(p.read_bytes() for p in kb.ledger.path.parent.glob("mind.db*"))


def test_an_erasure_empties_the_caches_of_the_process(told):
    kb, say = told
    say("I lent my drill to Osman.")
    Mind(kb).ask("Who borrowed my drill?")
    assert parsed.cache_info().currsize
    kb.erase(subject="Osman")
    assert parsed.cache_info().currsize == 0


def test_a_newer_sentence_replaces_an_older_one_and_the_past_can_be_asked(told):
    kb, say = told
    say("The staff meeting is at nine.")
    before = kb.remarks()[0].recorded_at
    say("They've pushed the staff meeting to half ten.")
    mind = Mind(kb)
    assert mind.ask("What time is the staff meeting?").text == "half ten"
    assert mind.ask("What time is the staff meeting?", at=before).text == "nine"


CHANGES = (
    (
        "The director of Skelby is Anton Reiss.",
        "Anton Reiss has retired; Skelby's director is now Yuki Hamada.",
        "Who is the director of Skelby?",
        "Yuki Hamada",
    ),
    (
        "My phone background is a frog.",
        "I changed my phone background, it's a capybara now.",
        "What's on my phone background?",
        "capybara",
    ),
    (
        "My best friend is Kyle.",
        "I am not friends with Kyle anymore, my best friend is Benji.",
        "Who's my best friend?",
        "Benji",
    ),
    (
        "The guest ale is Copper Wren.",
        "Copper Wren has run out; the guest ale is Dusty Monk now.",
        "What's the guest ale?",
        "Dusty Monk",
    ),
)


@pytest.mark.parametrize(("old", "new", "question", "wanted"), CHANGES)
def test_a_change_takes_the_place_of_facts_and_sentences(told, old, new, question, wanted):
    kb, say = told
    say(old, new)
    assert Mind(kb).ask(question).text == wanted


def test_a_value_that_was_said_to_have_gone_is_no_answer(told):
    kb, say = told
    say("The treasurer of the Otters is Olga Penn.", "Olga Penn left the Otters last week.")
    assert Mind(kb).ask("Who is the treasurer of the Otters?").text != "Olga Penn"


def test_of_two_like_sentences_the_one_about_the_name_asked_for_answers(told):
    kb, say = told
    say("I lent my drill to Osman.", "I lent my ladder to Fenella.")
    mind = Mind(kb)
    assert mind.ask("Who borrowed my drill?").text == "Osman"
    assert mind.ask("Who borrowed my ladder?").text == "Fenella"


def test_a_newer_sentence_about_something_else_replaces_nothing(told):
    kb, say = told
    say("Jasper's band is called Soft Bricks.", "Jasper has a new bicycle now.")
    assert Mind(kb).ask("What is Jasper's band called?").text == "Soft Bricks"


def test_silence_where_a_stranger_is_asked_about(told):
    kb, say = told
    say("The staff meeting is at nine.")
    assert Mind(kb).ask("What does Wilhelm's brother collect?").text is None


def test_another_tenant_has_no_part_in_it(told, tmp_path):
    kb, say = told
    say("I lent my drill to Osman.")
    with KnowledgeBase(kb.ledger.path, "other") as other:
        assert Mind(other).ask("Who borrowed my drill?").text is None


def test_spans_hold_names_numbers_and_places():
    text = parser.spelt("We keep the extinguisher in the cupboard beneath the stairs")
    read = parsed(text)
    assert {"cupboard beneath the stairs", "stairs", "extinguisher"} <= {
        said(read, span) for span in spans(read)
    }
