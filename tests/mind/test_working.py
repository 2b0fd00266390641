"""Working memory: who is meant, what waits, and that it stays within its budget."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from prism.mind.perceive import Triple
from prism.mind.working import WorkingMemory

WORDS = st.sampled_from(["Ann", "Tom", "Rome", "Acme", "me", "me/sister", "Rex", "Nim", "Cork"])
FACTS = st.builds(Triple, WORDS, st.sampled_from(["lives in", "wife", "ceo", "plays"]), WORDS)


def heard(*facts: tuple[str, str, str], **budget: int) -> WorkingMemory:
    memory = WorkingMemory(**budget)
    for fact in facts:
        memory.next_turn()
        memory.heard(Triple(*fact))
    return memory


def test_a_pronoun_means_the_last_thing_of_its_sort():
    memory = heard(("Ann", "lives in", "Rome"), ("Ann", "husband", "Tom"))
    assert memory.resolve("he") == "Tom" and memory.resolve("she") == "Ann"
    assert memory.resolve("it") == "Rome"


def test_what_the_sentence_is_about_comes_before_what_was_said_earlier():
    memory = heard(("Ann", "lives in", "Rome"))
    assert memory.resolve("she", ("Eve",)) == "Eve"


def test_nobody_is_meant_where_nobody_fits():
    assert WorkingMemory().resolve("he") is None


@given(st.lists(FACTS, max_size=60), st.integers(1, 6))
def test_the_budget_holds_whatever_is_heard(facts, things):
    memory = WorkingMemory(things=things, statements=3)
    for fact in facts:
        memory.next_turn()
        memory.heard(fact)
        memory.doubt([fact])
        assert len(memory.things) <= things and len(memory.unconfirmed) <= 3


def test_what_waits_is_taken_out_once():
    memory = WorkingMemory()
    memory.doubt([Triple("Ann", "plays", "chess")])
    assert [f.object for f in memory.confirm()] == ["chess"] and memory.confirm() == []
    memory.doubt([Triple("Ann", "plays", "chess")], "I think Ann plays chess.")
    assert [words for _, words in memory.confirmed()] == ["I think Ann plays chess."]


def test_a_forgotten_thing_is_gone_with_what_waits_about_it():
    memory = heard(("Ann", "lives in", "Rome"))
    memory.doubt([Triple("Ann", "plays", "chess"), Triple("Tom", "plays", "go")])
    memory.forget("ann")
    assert memory.resolve("she") is None
    assert [f.subject for f in memory.unconfirmed] == ["Tom"]
