"""Texts by their trigrams: the scan over arrays says what the plain sums over strings say."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.holo.keys import trigrams
from prism.holo.keys.texts import KeyTexts
from prism.holo.keys.trigrams import Trigrams

TEXTS = st.text("ab éßя", min_size=1, max_size=8)


def grams(text: str) -> list[str]:
    marked = f"\n{text.casefold()}\n"
    return [marked[i : i + 3] for i in range(len(marked) - 2)]


def reference(texts: dict[int, str], asked: str) -> dict[int, float]:
    """Overlap of ``asked`` with every text that shares a trigram, from the equation."""
    held = Counter(gram for text in texts.values() for gram in grams(text))

    def mass(found: list[str]) -> float:
        return sum(math.log1p(len(texts) / max(held[g], 1)) ** 2 for g in found)

    own = set(grams(asked))
    found = {
        code: mass([g for g in grams(text) if g in own])
        / max(mass(grams(asked)), mass(grams(text)))
        for code, text in texts.items()
    }
    return {code: overlap for code, overlap in found.items() if overlap > 0}


@pytest.mark.parametrize("block", [1, 7, trigrams.BLOCK])
@given(st.lists(st.tuples(st.booleans(), TEXTS), max_size=30), TEXTS)
def test_overlaps_are_those_of_the_equation_whatever_was_added_and_taken_out(
    block: int, steps: list[tuple[bool, str]], asked: str
) -> None:
    known, texts = KeyTexts(), {}
    index = Trigrams(known)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trigrams, "BLOCK", block)
        for code, (out, text) in enumerate(steps):
            if out and texts:
                gone = min(texts)
                assert known.pop(gone) == texts.pop(gone)
            else:
                texts[code] = known[code] = text
            if code % 3 == 0:
                index.nearest(asked, 2)  # makes the arrays on the way
            if code % 5 == 0:
                known.arrays()
        found = index.nearest(asked, 100)
    assert len(index) == len(texts)
    assert {code: pytest.approx(s, rel=1e-4) for s, code in found} == reference(texts, asked)
    assert [s for s, _ in found] == sorted((s for s, _ in found), reverse=True)


def test_only_the_best_are_returned_and_none_without_a_shared_trigram() -> None:
    texts = KeyTexts()
    for code, text in enumerate(["alpha", "alphb", "omega", "beta"]):
        texts[code] = text
    index = Trigrams(texts)
    assert [code for _, code in index.nearest("alpha", 2)] == [0, 1]
    assert index.nearest("zzz", 2) == []
    assert Trigrams(KeyTexts()).nearest("alpha", 2) == []


def test_a_key_of_many_scripts_is_found_among_keys_of_many_scripts() -> None:
    texts = KeyTexts()
    names = [
        "столица Эстонии",
        "العاصمة",
        "日本国の首都",
        "Ελλάδα",
        *(chr(0x4E00 + i) for i in range(300)),
    ]
    for code, text in enumerate(names):
        texts[code] = text
    index = Trigrams(texts)
    for code, text in enumerate(names):
        assert index.nearest(text, 1) == [(pytest.approx(1.0), code)]


@given(st.lists(st.tuples(st.integers(0, 9), st.text(max_size=3)), max_size=20))
def test_texts_are_a_dictionary_in_order_through_saving(steps: list[tuple[int, str]]) -> None:
    known, plain = KeyTexts(), {}
    for code, text in steps:
        if text == "":
            assert known.pop(code) == plain.pop(code, None)
        elif code not in plain:
            known[code] = plain[code] = text
        if code == 0:
            known = KeyTexts(*known.arrays())
        assert (known.values(), known.codes().tolist()) == (list(plain.values()), list(plain))
        assert all((c in known) == (c in plain) and known.get(c) == plain.get(c) for c in range(10))
        assert known.nbytes == sum(len(t.encode("utf-8", "surrogatepass")) for t in plain.values())


def test_arrays_that_are_no_texts_are_refused() -> None:
    blob, ends, codes = np.frombuffer(b"ab\n", np.uint8), np.array([2]), np.zeros(1, np.uint64)
    assert KeyTexts(blob, ends, codes).values() == ["ab"]
    for wrong in [(blob[:1], ends, codes), (blob, ends[:0], codes), (blob, ends + 1, codes)]:
        with pytest.raises(ValueError, match="texts of the keys"):
            KeyTexts(*wrong)
