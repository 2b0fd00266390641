"""The relation's noun and the same last word say what is asked, whatever stands between them."""

from __future__ import annotations

import pytest

from prism.inject.trigger import spoken

WORDINGS = ("The capital of {} is", "The capital city of {} is called", "{} has as capital")


@pytest.mark.parametrize(
    "text",
    [
        "The capital of France is",
        "It was late. The capital of France, where nobody had ever been, is",
        "What is the capital of France? As you know, it is called",
        "France chose long ago what its capital is",
    ],
)
def test_the_noun_in_the_sentence_or_after_it_counts_where_a_wording_could_end(text):
    assert spoken(text, "France", WORDINGS)


@pytest.mark.parametrize(
    "text",
    [
        "The capital of France",  # nothing is asked yet
        "The capital of France, where nobody had ever been,",
        "It has a capital. The flag of France is",  # another sentence
        "The flag of France is",
        "The capital of Spain is",  # somebody else
    ],
)
def test_without_noun_ending_or_subject_nothing_is_spoken(text):
    assert not spoken(text, "France", WORDINGS)


def test_a_relation_whose_wordings_share_no_word_has_no_words_of_its_own():
    assert not spoken("France is ruled from", "France", ("{} is ruled from", "Go to {}"))
