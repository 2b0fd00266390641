"""Typing errors: what one wrong key press is, and what is another thing."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.holo.keys.typos import (
    BESIDE,
    LONG,
    deletions,
    is_slip,
    meanings,
    one_typo,
    wrong_key,
)

SHORT = st.text("abc", max_size=5)


def plain_distance(a: str, b: str) -> int:
    if not a or not b:
        return len(a) + len(b)
    best = min(
        plain_distance(a[1:], b) + 1,
        plain_distance(a, b[1:]) + 1,
        plain_distance(a[1:], b[1:]) + (a[0] != b[0]),
    )
    if len(a) > 1 and len(b) > 1 and a[0] == b[1] and a[1] == b[0]:
        best = min(best, plain_distance(a[2:], b[2:]) + 1)
    return best


@given(SHORT, SHORT)
def test_texts_one_edit_apart_share_a_deletion(a: str, b: str) -> None:
    if plain_distance(a, b) <= 1:
        assert deletions(a) & deletions(b)


def test_a_typo_is_one_slip_in_a_long_word() -> None:
    draw = random.Random(0)
    for _ in range(200):
        changed = one_typo("Freedonia capital", draw)
        assert is_slip(changed, "Freedonia capital")


# A word that a key press makes of another, or what makes no other of it. Each line is a kind.
SLIPS = [
    ("Fredonia", "Freedonia"),  # dropped
    ("Freeddonia", "Freedonia"),  # doubled
    ("Freednoia", "Freedonia"),  # swapped
    ("Freedomia", "Freedonia"),  # the key beside
    ("rFeedonia", "Freedonia"),  # swapped with the shift key held
    ("FFreedonia", "Freedonia"),
    ("captial of Freedonia", "capital of Freedonia"),
    ("captial of freedonia", "capital of Freedonia"),  # capitals left out
    ("CAPITAL OF FREEDONIA", "capital of Freedonia"),
    ("Capital of Freedonia", "capital of Freedonia"),
    ("capital of rome", "capital of Rome"),
    ("North-Rhine-Westpahlia", "North-Rhine-Westphalia"),
    ("стоилца Рима", "столица Рима"),
    ("πρωτεύοσυα της Ρώμης", "πρωτεύουσα της Ρώμης"),
]
OTHERS = [
    ("price of Zendal 15", "price of Zendal 1.5"),  # points
    ("temperature -5", "temperature 5"),  # signs
    ("order 1041 status", "order 1042 status"),  # digits
    ("order A1x status", "order A2x status"),
    ("fee of plan A", "fee of plan B"),  # letters that are names
    ("CFO of Nimbrellix", "CEO of Nimbrellix"),  # acronyms
    ("NIMBRELIX", "NIMBRELLIX"),
    ("getUserNames", "setUserNames"),  # names in programs
    ("chapter lxxviii", "chapter lxxxviii"),  # Roman numbers
    ("king Louis XIV", "king Louis XVI"),
    ("deadbeef", "deadbeeff"),  # hexadecimal
    ("annual_report.doc", "annual_report.docx"),  # file endings
    ("speed in km", "speed in cm"),  # units
    ("power in mW", "power in MW"),
    ("price in USD", "price in AUD"),
    ("capital of Iran", "capital of Iraq"),  # short words
    ("capital of Austria", "capital of Australia"),  # two edits
    ("former capital of Rome", "capital of Rome"),  # words added
    ("Freedonia capital", "capital Freedonia"),  # order of words
    ("captial of Fredonia", "capital of Freedonia"),  # a slip in each of two words
    ("currencyof Freedonia", "currency of Freedonia"),  # a space is no letter
    ("Frpedonia", "Freedonia"),  # p lies far from e
    ("illusion", "allusion"),
    ("election of members", "selection of members"),  # words of the language
    ("martial law", "marital law"),
    ("dessert", "desert"),
    ("office of Thomson", "office of Thompson"),  # related names
    ("birthday of Christina", "birthday of Christian"),
    ("birthday of Gabriel", "birthday of Gabriela"),
    ("birthday of Zorbald", "birthday of Zorbalda"),
    ("food of Zorbalian", "food of Zorbalia"),
    ("mayor of Pittsburg", "mayor of Pittsburgh"),
    ("price of zorblaxer", "price of zorblaxers"),  # plural
    ("typical cases", "atypical cases"),  # negation
    ("symmetric", "asymmetric"),
    ("soprano part", "soprani part"),
    ("the polish language", "the Polish language"),  # capitals that make another word
    ("the US", "the us"),
    ("адрес Валентин", "адрес Валентина"),  # gender in Cyrillic
    ("Москва", "Мосвка"),  # six letters
    ("北京市人口統計局", "北京市人工統計局"),  # no alphabet
    ("Zendalia", "Z\u0435ndalia"),  # letters of two alphabets
]


@pytest.mark.parametrize(("typed", "meant"), SLIPS)
def test_a_wrong_key_press_in_a_long_word_is_a_slip(typed: str, meant: str) -> None:
    assert is_slip(typed, meant)


@pytest.mark.parametrize(("typed", "meant"), OTHERS)
def test_another_thing_is_no_slip(typed: str, meant: str) -> None:
    assert not is_slip(typed, meant)
    assert not is_slip(meant, typed)


def test_a_text_is_no_slip_of_itself() -> None:
    assert not is_slip("Freedonia", "Freedonia")


WORDS = st.text("abnoés", min_size=6, max_size=9)


@given(
    WORDS,
    st.integers(0, 8),
    st.sampled_from(["dropped", "doubled", "swapped", "beside"]),
    st.data(),
)
def test_meanings_hold_every_word_that_a_key_press_away_gives_the_typed_one(
    word: str, place: int, kind: str, data: st.DataObject
) -> None:
    at = min(place, len(word) - 2)
    head, letter, tail = word[:at], word[at], word[at + 1 :]
    typed = {
        "dropped": head + tail,
        "doubled": head + 2 * letter + tail,
        "swapped": head + tail[0] + letter + tail[1:],
        "beside": head + data.draw(st.sampled_from(sorted(BESIDE.get(letter, letter)))) + tail,
    }[kind]
    if typed != word and len(word) >= LONG:
        assert wrong_key(typed, word)
        assert word in set(meanings(typed))


@given(WORDS, WORDS)
def test_a_wrong_key_is_one_edit(typed: str, meant: str) -> None:
    if typed != meant and wrong_key(typed, meant):
        assert plain_distance(typed, meant) == 1


def test_a_very_long_word_is_nothing_to_correct() -> None:
    assert list(meanings("x" * 5000)) == []
    assert not is_slip("ab" * 3000, "ab" * 3000 + "a")
