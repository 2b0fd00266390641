"""A misspelt key finds the stored one, says so, and a different key stays different."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.holo import HoloTape
from prism.holo.keys.resolver import Resolver
from prism.holo.keys.typos import BESIDE, LONG, fold, is_slip
from prism.holo.recall import GUESS

PLACES = [
    "Freedonia",
    "Sylvania",
    "Ruritania",
    "Zembla",
    "Fenwick",
    "Lorenzo",
    "Costaguana",
    "Elbonia",
    "Latveria",
    "Wakanda",
    "Genovia",
    "Florin",
    "Guilder",
    "Zubrowka",
    "Panem",
    "Gondor",
    "Rohan",
    "Narnia",
    "Lilliput",
    "Brobdingnag",
]
RELATIONS = ("capital", "currency", "anthem", "head of state", "main export")
KEYS = [f"{place} {relation}" for place in PLACES for relation in RELATIONS]


def misspelt(text: str, seed: int) -> str:
    """``text`` with one key press wrong inside a long word."""
    rng = random.Random(seed)
    word = rng.choice([word for word in text.split() if len(word) >= LONG])
    at = rng.randrange(1, len(word) - 1)
    head, letter, tail = word[:at], word[at], word[at + 1 :]
    wrong = (
        head + tail,
        head + 2 * letter + tail,
        head + tail[0] + letter + tail[1:],
        head + rng.choice(sorted(BESIDE[letter])) + tail,
    )[rng.randrange(4)]
    return text.replace(word, wrong) if wrong != word else misspelt(text, seed + 1000)


def resolver(keys: list[str] = KEYS) -> Resolver:
    found = Resolver()
    found.add(keys, np.arange(len(keys), dtype=np.uint64))
    return found


def test_one_wrong_key_press_finds_the_key() -> None:
    index = resolver()
    long = [key for key in KEYS if any(len(word) >= LONG for word in key.split())]
    asked = [(key, misspelt(key, seed)) for seed, key in enumerate(long * 4)]
    found = [index.resolve(text) for _, text in asked]
    right = [m == key for (key, _), m in zip(asked, found, strict=True)]
    assert np.mean(right) >= 0.98


def test_the_answer_says_that_a_key_was_resolved() -> None:
    tape = HoloTape(1024, 4, resolver=True)
    tape.bind_many(KEYS, [f"v{i}" for i in range(len(KEYS))])
    answer = tape.recall("Fredonia capital")
    assert answer.value == "v0"
    assert (answer.key_used, answer.resolved_from) == ("Freedonia capital", "Fredonia capital")
    exact = tape.recall("Freedonia capital")
    assert (exact.value, exact.resolved_from) == ("v0", None)
    assert (answer.guess, exact.guess) == (True, False)


def test_the_confidence_of_a_guess_is_about_the_question_asked() -> None:
    tape = HoloTape(1024, 4, resolver=True)
    tape.bind_many(KEYS, [f"v{i}" for i in range(len(KEYS))])
    guess, exact = tape.recall_many(["Fredonia capital", "Freedonia capital"])
    assert exact.posterior > 0.999
    assert guess.posterior == pytest.approx(GUESS * exact.posterior)
    assert guess.p_value == 1  # the key that was asked for is not stored
    assert exact.p_value < 1e-9


def test_a_guess_is_gone_with_its_key() -> None:
    tape = HoloTape(1024, 4, resolver=True)
    tape.bind("Freedonia capital", "v0")
    assert tape.recall("Fredonia capital").value == "v0"
    assert tape.recall("Fredonia capital", resolve=False).value is None
    tape.forget("Freedonia capital")
    assert tape.recall("Fredonia capital").value is None


@pytest.mark.parametrize(
    "text", ["Atlantis capital", "weather tomorrow", "zzz", "x", "Freedonia population"]
)
def test_a_key_that_was_never_stored_stays_unknown(text: str) -> None:
    assert resolver().resolve(text) is None


@pytest.mark.parametrize(
    ("asked", "stored"),
    [
        ("capital of Australia", "capital of Austria"),
        ("population of Nigeria", "population of Niger"),
        ("former capital of Austria", "capital of Austria"),
        ("capital of North Korea", "capital of Korea"),
    ],
)
def test_another_name_is_not_a_misspelling(asked: str, stored: str) -> None:
    assert resolver([stored, "anthem of Zembla"]).resolve(asked) is None


def test_a_question_between_two_keys_is_left_alone() -> None:
    index = resolver(["Zorlania capital", "Zorkania capital", "Zembla anthem"])
    assert index.resolve("Zorlamia capital") == "Zorlania capital"
    assert index.resolve("Zorania capital") is None  # of either
    twins = resolver(["capital of Zorlania", "capital of zorlania"])
    assert twins.resolve("capital of zorlanai") is None
    assert twins.resolve("CAPITAL OF ZORLANIA") is None


def test_a_word_of_stored_keys_is_no_misspelt_other_one() -> None:
    index = resolver(["Zorlania capital", "Zorania anthem"])
    assert index.resolve("Zorania capital") is None
    index.forget(np.array([1], np.uint64))
    assert index.resolve("Zorania capital") == "Zorlania capital"
    index.add(["Zorania flag"], np.array([2], np.uint64))
    assert index.resolve("Zorania capital") is None


def test_another_number_is_another_key() -> None:
    index = resolver(["shipment 1042 status", "shipment 77 status"])
    assert index.resolve("shipment 1041 status") is None
    assert index.resolve("shipmnet 1042 status") == "shipment 1042 status"


def test_capitals_matter_little_and_the_order_of_words_much() -> None:
    assert resolver().resolve("FREEDONIA CAPITAL") == "Freedonia capital"
    assert resolver().resolve("freedonia capital") == "Freedonia capital"
    assert resolver().resolve("capital Freedonia") is None


WORDS = st.sampled_from(["zorlania", "Zorlania", "zrolania", "zoralnia", "zorlanis", "ab", "Ab"])


@given(
    st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=5, unique=True), st.tuples(WORDS, WORDS)
)
def test_the_index_finds_what_a_scan_of_all_keys_finds(
    keys: list[tuple[str, str]], asked: tuple[str, str]
) -> None:
    texts, question = list(map(" ".join, keys)), " ".join(asked)
    stored = {fold(word) for text in texts for word in text.split()}

    def corrects_stored(key: str) -> bool:
        """Whether the word that differs is itself a word of the keys."""
        pairs = zip(question.split(), key.split(), strict=True)
        return any(fold(a) != fold(b) and fold(a) in stored for a, b in pairs)

    near = [key for key in texts if is_slip(question, key) and not corrects_stored(key)]
    assert resolver(texts).resolve(question) == (near[0] if len(near) == 1 else None)


def test_an_encoder_finds_what_spelling_cannot() -> None:
    index = resolver(["king of Rohan", "anthem of Rohan"])

    def encoder(texts: list[str]) -> np.ndarray:
        return np.array([[("king" in t) or ("ruler" in t), "anthem" in t, 0.1] for t in texts])

    assert index.resolve("who is the ruler?") is None
    index.encoder = encoder
    assert index.resolve("who is the ruler?") == "king of Rohan"
    assert index.resolve("what to eat?") is None
    index.forget(np.array([0], np.uint64))
    assert index.resolve("who is the ruler?") is None


def test_an_empty_resolver_knows_nothing() -> None:
    assert resolver([]).resolve("anything") is None


def test_keys_are_counted_in_bytes() -> None:
    assert resolver(["ab", "é"]).nbytes == 4
