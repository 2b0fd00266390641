"""A sentence tells whom it is about and what it states."""

from __future__ import annotations

import pytest

from prism.data.tokens import ByteTokenizer
from prism.inject import AnswerAccumulator
from prism.inject.knowledge import WORDINGS, Knowledge, fill_in, questions
from prism.inject.names import Names, subject_of, wording_of


@pytest.mark.parametrize(
    ("prompt", "subject"),
    [
        ("The capital of Freedonia is", "Freedonia"),
        ("The head of the Bank of Elbonia is", "Elbonia"),
        ("The mayor of New Town was", "New Town"),
    ],
)
def test_an_unknown_subject_is_the_last_capitalised_run(prompt, subject):
    assert subject_of(prompt, Names()) == subject


def test_a_known_name_comes_first_and_the_longest_of_them():
    names = Names()
    names.add("gold", "gold")
    names.add("fool's gold", "pyrite")
    assert subject_of("The symbol of fool's gold in London is", names) == "pyrite"


def test_a_sentence_in_a_known_wording_states_that_relation():
    known = Knowledge(ByteTokenizer(), AnswerAccumulator(64, 256))
    known.describe("capital", ["The capital of {} is"])
    assert known.relation_of("The capital of Freedonia is", "Freedonia") == "capital"
    assert known.relation_of("The king of Freedonia is", "Freedonia") == "The king of {} is"


def test_the_wording_is_the_sentence_without_its_subject():
    assert wording_of("Gold has the symbol", "gold") == "{} has the symbol"
    assert fill_in("{} has the symbol", "gold") == "Gold has the symbol"


def test_questions_are_made_from_the_first_plain_statement():
    made = questions(["{} lies in", "The capital of {} is"])
    assert made
    assert all("What is the capital of {}?" in q for q in made)
    assert questions(["{} lies in"]) == []


def test_a_bare_noun_gives_wordings():
    assert "The anthem of {} is" in [w.replace("REL", "anthem") for w in WORDINGS]
