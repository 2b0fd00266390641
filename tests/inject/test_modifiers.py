"""A word that no wording has, next to the noun, makes another question of it."""

from __future__ import annotations

import pytest

from prism.inject.trigger import altered, noun_of

WORDINGS = ("The capital of {} is", "The capital city of {} is called", "{} has as capital")


def test_the_noun_is_what_all_wordings_share():
    assert noun_of(WORDINGS) == {"capital"}
    assert noun_of(("The atomic number of {} is", "{} has the atomic number")) == {
        "atomic",
        "number",
    }


@pytest.mark.parametrize(
    "text",
    [
        "The capital of France is",
        "It was late. Now, the capital city of France is",
        "Question: What is the capital of France? Answer:",
        "The teacher said that the capital of France is",
        "The capital of France, which many travellers like, is",
        "France's capital is",
        "France is governed from",
    ],
)
def test_plain_questions_pass(text):
    assert not altered(text, "France", WORDINGS)


@pytest.mark.parametrize(
    "text",
    [
        "The former capital of France is",
        "The capital of the country north of France is",
        "He said: the capital of the largest neighbour of France is",
    ],
)
def test_derived_questions_are_noticed(text):
    assert altered(text, "France", WORDINGS)


def test_a_relation_without_a_common_word_has_nothing_to_compare():
    assert not altered(
        "The former capital of France is", "France", ("{} is ruled from", "Go to {}")
    )
