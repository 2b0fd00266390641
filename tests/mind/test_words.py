"""Stems, and the direction in which a question walks a relation."""

from __future__ import annotations

import pytest

from prism.mind.reflect.direction import ways
from prism.mind.reflect.question import Name, Question
from prism.mind.reflect.relations import Vocabulary, entries_of
from prism.mind.reflect.words import content_stems, stem, tokens


@pytest.mark.parametrize(
    "family",
    [
        "discover discovers discovered discovering discoverer discovery",
        "employ employs employed employer employment employee",
        "marry married marries marriage",
        "speak speaks spoke spoken speaking",
        "lead leader leads led",
        "city cities",
    ],
)
def test_inflections_and_derivations_share_a_stem(family):
    assert len({stem(word) for word in family.split()}) == 1


@pytest.mark.parametrize("pair", ["mayor may", "country currency", "capital cap", "river rive"])
def test_other_words_do_not(pair):
    assert len({stem(word) for word in pair.split()}) == 2


def test_a_possessive_ending_is_a_word_of_its_own():
    assert [t.lower for t in tokens("Boris's wife, isn't she?")] == [
        *("boris", "'s", "wife"),
        *("isn't", "she"),
    ]


def test_a_relation_is_spoken_of_by_its_parts_and_its_senses():
    entries, hints = entries_of("birthplace")
    assert content_stems("birth") in entries and content_stems("born") in entries
    assert "where" in hints
    assert content_stems("phone") in entries_of("phone_code")[0]


def question(text: str, name: str) -> Question:
    words = tokens(text)
    place = next(i for i, w in enumerate(words) if w.text == name)
    return Question(text, words, [Name(name.casefold(), place, place, True, True, name)])


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("What is the capital of Ruritania?", (True, False)),
        ("What is Ruritania's capital?", (True, False)),
        ("Which country's capital is Ruritania?", (True, False)),
        ("Which country is it whose capital is Ruritania?", (False, True)),
        ("Ruritania is the capital of the country with which money?", (False, True)),
        ("Ruritania is capital of which country?", (True, True)),
    ],
)
def test_english_says_which_way_a_relation_is_walked(text, allowed):
    asked = question(text, "Ruritania")
    words = Vocabulary()
    words.add(["capital"])
    free = [i for i in range(len(asked.words)) if not asked.named(i)]
    (mention,) = words.mentions(asked.words, free)
    assert ways(mention, asked) == allowed


def test_an_owners_wording_speaks_of_a_relation():
    words = Vocabulary({"tld": ["web ending"]})
    words.add(["tld"])
    text = tokens("the web ending of X")
    assert [m.relation for m in words.mentions(text, range(len(text)))] == ["tld"]
