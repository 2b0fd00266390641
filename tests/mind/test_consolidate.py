"""Consolidation: who may teach, what is written when, and what a new value does to an old one."""

from __future__ import annotations

import pytest

from prism.mind import KnowledgeBase, Source
from prism.mind.consolidate import Consolidation
from tests.mind.parsed import needs_parser


@pytest.fixture
def kb(tmp_path):
    with KnowledgeBase(tmp_path / "mind.db") as base:
        yield base


def objects(facts) -> list[str]:
    return sorted(fact.object for fact in facts)


def test_what_a_user_states_is_in_the_file_with_its_words(kb):
    outcome = Consolidation(kb, "anna").turn("The capital of Freedonia is Fredville.")
    fact = kb.get("Freedonia", "capital")[0]
    assert [a.outcome for a in outcome.noted] == ["added"] and outcome.operation is not None
    assert (fact.object, fact.source.kind, fact.source.uri) == ("Fredville", "user", "anna")
    assert fact.source.text == "The capital of Freedonia is Fredville."


@pytest.mark.parametrize("role", ["assistant", "system", "tool"])
def test_other_roles_teach_nothing(kb, role):
    outcome = Consolidation(kb).turn("The capital of Freedonia is Fredville.", role)
    assert not outcome.noted and len(kb) == 0


def test_an_unknown_role_is_refused(kb):
    with pytest.raises(ValueError, match="role 'friend': must be one of user, assistant"):
        Consolidation(kb).turn("The capital of Freedonia is Fredville.", "friend")


def test_a_new_value_supersedes_and_an_undo_brings_the_old_one_back(kb):
    talk = Consolidation(kb)
    talk.turn("The capital of Freedonia is Fredville.")
    new = talk.turn("The capital of Freedonia is Newtown.")
    assert [a.outcome for a in new.noted] == ["superseded"]
    kb.undo(new.operation)
    assert objects(kb.get("Freedonia", "capital")) == ["Fredville"]


def test_a_turn_of_several_facts_is_one_operation(kb):
    outcome = Consolidation(kb).turn("My cat is Momo. My dog is Rex.")
    assert len({a.operation for a in outcome.noted}) == 1 and len(kb) == 2
    kb.undo(outcome.operation)
    assert len(kb) == 0


def test_the_base_keeps_its_own_name_of_a_relation(kb):
    kb.add("Freedonia", "official currency", "crown", source=Source("api", "crm"))
    Consolidation(kb).turn("The currency of Freedonia is the florin.")
    assert objects(kb.get("Freedonia", "official currency")) == ["florin"]
    assert kb.get("Freedonia", "currency") == []


def test_a_description_is_looked_up(kb):
    talk = Consolidation(kb)
    talk.turn("My sister is Ann.")
    talk.turn("My sister's cat is Momo.")
    assert objects(kb.get("Ann", "cat")) == ["Momo"]


@needs_parser
def test_several_sisters_stand_side_by_side_and_several_capitals_do_not(kb):
    talk = Consolidation(kb)
    talk.turn("Ann is my sister.")
    talk.turn("Eve is my sister.")
    assert objects(kb.get("me", "sister")) == ["Ann", "Eve"]


@needs_parser
def test_what_was_unsure_waits_for_a_yes_and_is_in_no_file(kb):
    talk = Consolidation(kb)
    outcome = talk.turn("I think Boris plays chess.")
    assert [f.object for f in outcome.unsure] == ["chess"] and len(kb) == 0
    assert [a.fact.object for a in talk.turn("Yes.").noted] == ["chess"]
    assert talk.turn("Yes.").noted == ()


@needs_parser
def test_after_a_restart_a_pronoun_means_what_was_last_noted(tmp_path):
    with KnowledgeBase(tmp_path / "mind.db") as kb:
        Consolidation(kb).turn("Boris lives in Rome.")
    with KnowledgeBase(tmp_path / "mind.db") as kb:
        Consolidation(kb).turn("He works for Acme.")
        assert objects(kb.get("Boris", "works for")) == ["Acme"]


@needs_parser
def test_a_move_changes_the_value_that_it_is_about(kb):
    talk = Consolidation(kb)
    talk.turn("Ann's office is room 12.")
    talk.turn("Ann has moved to room 31.")
    assert objects(kb.get("Ann", "office")) == ["room 31"]


ENDINGS = [
    (("Tom works for Acme.", "Tom no longer works for Acme."), []),
    (("Tom works for Acme.", "Tom doesn't work at Acme any more."), []),
    (("Tom works for Acme.", "Tom has left Acme."), []),
    (("Tom works for Acme.", "Tom stopped working for Acme."), []),
    (("Tom works for Acme.", "Tom has left Zed."), ["Acme"]),
    (("Tom works for Acme.", "Tom no longer works for Zed."), ["Acme"]),
    (("Tom works for Acme.", "Tom has left Rome."), ["Acme"]),
    (("Tom works for Acme.", "I think Tom no longer works for Acme."), ["Acme"]),
    (("Tom works for Acme.", "Ben says Tom no longer works for Acme."), ["Acme"]),
    (("Tom works for Acme.", "If Tom no longer works for Acme, I'm sad."), ["Acme"]),
    (("Tom works for Acme.", "Tom no longer works for Acme, he works for Zed now."), ["Zed"]),
    (("Ann is the captain of the Falcons.", "Ann is not the captain any more."), []),
    (("Ann is the captain of the Falcons.", "Ann isn't the captain of the Hawks any more."),
     ["Ann"]),
    (("Ann is the captain of the Falcons.", "The captain is no longer Ann."), []),
    (("My boss is Greta.", "Greta is no longer my boss."), []),
    (("My boss is Greta.", "My boss is no longer Nora."), ["Greta"]),
]  # fmt: skip


@needs_parser
@pytest.mark.parametrize(("turns", "left"), ENDINGS)
def test_what_a_user_says_to_be_over_is_retired_where_it_is_what_is_believed(kb, turns, left):
    talk = Consolidation(kb)
    talk.turn(turns[0])
    (before,) = kb.facts()
    outcome = talk.turn(turns[1])
    assert [fact.object for fact in kb.facts()] == left
    assert [f.id for f in outcome.over] == ([] if kb.fact(before.id).live else [before.id])
    assert len(kb.history(before.subject, before.relation)) == 1 + (left == ["Zed"])


@needs_parser
def test_a_turn_that_ends_one_thing_and_states_another_is_one_operation(kb):
    talk = Consolidation(kb)
    talk.turn("Tom works for Acme.")
    outcome = talk.turn("Tom no longer works for Acme. He works for Zed.")
    kb.undo(outcome.operation)
    assert [fact.object for fact in kb.facts()] == ["Acme"]


@needs_parser
def test_no_it_s_puts_a_value_in_the_place_of_the_one_just_stated(kb):
    talk = Consolidation(kb)
    talk.turn("My mother's birthday is on 9 June.")
    talk.turn("No, it's on 10 June.")
    assert objects(kb.get("me/mother", "birthday")) == ["10 June"]
    assert objects(kb.history("me/mother", "birthday")) == ["10 June", "9 June"]


@pytest.mark.parametrize("second", ["No, that's fine.", "No, it's great!", "Sorry, it's late."])
def test_a_remark_of_another_shape_corrects_nothing(kb, second):
    talk = Consolidation(kb)
    talk.turn("The capital of Freedonia is Fredville.")
    talk.turn(second)
    assert objects(kb.get("Freedonia", "capital")) == ["Fredville"]


def test_a_correction_is_of_the_turn_before_and_of_one_fact_alone(kb):
    talk = Consolidation(kb)
    talk.turn("The capital of Freedonia is Fredville. The capital of Sylvania is Oldtown.")
    talk.turn("No, it's Newtown.")
    talk.turn("The capital of Freedonia is Durn.")
    talk.turn("Thanks.")
    talk.turn("No, it's Newtown.")
    assert objects(kb.get("Freedonia", "capital")) == ["Durn"]
    assert objects(kb.get("Sylvania", "capital")) == ["Oldtown"]


@needs_parser
def test_a_pronoun_means_whom_its_own_sentence_has_been_about(kb):
    talk = Consolidation(kb)
    talk.turn("Odette is a nurse.")
    talk.turn("Petra teaches at Hollin Academy.")
    talk.turn("Odette isn't a nurse any more, she's a midwife.")
    assert objects(kb.get("Odette", "profession")) == ["midwife"]
    assert not kb.get("Petra", "profession")


@needs_parser
def test_what_a_sentence_denies_at_its_end_is_no_part_of_its_fact(kb):
    talk = Consolidation(kb)
    talk.turn("Wilma goes to Larkfield School.")
    talk.turn("Actually, Wilma goes to Hollin Academy now, not Larkfield School.")
    assert objects(kb.get("Wilma", "goes to")) == ["Hollin Academy"]


@needs_parser
def test_a_name_does_not_take_the_full_stop_of_its_sentence(kb):
    talk = Consolidation(kb)
    talk.turn("Rupert runs a small bakery called Crumb & Co.")
    assert objects(kb.get("Crumb & Co", "head")) == ["Rupert"]


@needs_parser
def test_who_goes_by_bus_has_no_such_name(kb):
    talk = Consolidation(kb)
    talk.turn("Wilma goes to Larkfield School by bus.")
    talk.turn("Albert goes by Al.")
    assert not kb.get("Wilma", "name")
    assert objects(kb.get("Albert", "name")) == ["Al"]


@needs_parser
def test_a_fact_is_forgotten_with_the_sentence_that_said_it(kb):
    talk = Consolidation(kb)
    talk.turn("Wilma lives in Porto.")
    talk.turn("Wilma likes the sea.")
    forgotten = kb.retract(kb.get("Wilma", "lives in")[0].id)
    assert [fact.object for fact in kb.remarks()] == ["Wilma likes the sea."]
    kb.undo(forgotten)
    assert objects(kb.get("Wilma", "lives in")) == ["Porto"]
    assert len(kb.remarks()) == 2


@needs_parser
@pytest.mark.parametrize(
    "turn",
    ["My guess is that Boris lives in Rome.", "Boris is the king of the kitchen, ha ha."],
)
def test_guesses_and_jokes_state_nothing(kb, turn):
    assert not Consolidation(kb).turn(turn).noted and not kb.remarks()
