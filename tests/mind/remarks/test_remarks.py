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
