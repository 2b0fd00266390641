"""A misspelt key finds the stored one, says so, and a different key stays different."""

from __future__ import annotations

import random

import numpy as np
import pytest

from prism.holo import HoloTape
from prism.holo.keys.resolver import Resolver

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
    rng = random.Random(seed)
    at, letter = rng.randrange(len(text)), rng.choice("abcdefghijklmnopqrstuvwxyz")
    kind = rng.randrange(4)
    if kind == 0:
        return text[:at] + letter + text[at + 1 :]
    if kind == 1:
        return text[:at] + letter + text[at:]
    if kind == 2:
        return text[:at] + text[at + 1 :]
    return text[: at - 1] + text[at : at + 1] + text[at - 1 : at] + text[at + 1 :]


def resolver(keys: list[str] = KEYS) -> Resolver:
    found = Resolver()
    found.add(keys, np.arange(len(keys), dtype=np.uint64))
    return found


def test_one_typo_finds_the_key() -> None:
    index = resolver()
    asked = [(key, misspelt(key, seed)) for seed, key in enumerate(KEYS * 2)]
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


def test_a_slip_in_each_of_two_words_is_still_found_and_a_lost_space_too() -> None:
    index = resolver(["currency of Freedonia", "anthem of Zembla"])
    assert index.resolve("curency of Fredonia") == "currency of Freedonia"
    assert index.resolve("currencyof Freedonia") == "currency of Freedonia"
    assert index.resolve("curency off Fredonia") is None


def test_two_equally_near_keys_are_none() -> None:
    index = resolver(["Mali capital", "Bali capital", "Zembla anthem"])
    assert index.resolve("Rali capital") is None


def test_another_number_is_another_key() -> None:
    index = resolver(["order 1042 status", "order 77 status"])
    assert index.resolve("order 1041 status") is None
    assert index.resolve("ordr 1042 status") == "order 1042 status"


def test_case_and_word_order_matter_little() -> None:
    assert resolver().resolve("FREEDONIA CAPITAL") == "Freedonia capital"


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
