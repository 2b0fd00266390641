"""Texts by their trigrams: the arrays say what the plain sums over dictionaries say."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.holo.keys import trigrams
from prism.holo.keys.trigrams import Trigrams, grams

TEXTS = st.text("ab é", min_size=1, max_size=8)


def reference(texts: dict[int, str], asked: str) -> dict[int, float]:
    """Cosine of ``asked`` with every text that shares a trigram, from the equation."""

    def weight(gram: str) -> float:
        held = sum(gram in grams(text) for text in texts.values())
        return math.log1p(len(texts) / max(held, 1)) ** 2

    def product(a: str, b: str) -> float:
        return sum(weight(g) * n * grams(b)[g] for g, n in grams(a).items())

    found = {
        code: product(asked, text) / math.sqrt(product(asked, asked) * product(text, text))
        for code, text in texts.items()
    }
    return {code: cosine for code, cosine in found.items() if cosine > 0}


@pytest.mark.parametrize("tail", [0, 5, trigrams.TAIL])
@given(st.lists(st.tuples(st.booleans(), TEXTS), max_size=30), TEXTS)
def test_cosines_are_those_of_the_equation_whatever_was_added_and_taken_out(
    tail: int, steps: list[tuple[bool, str]], asked: str
) -> None:
    index, texts = Trigrams(), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trigrams, "TAIL", tail)
        for code, (out, text) in enumerate(steps):
            if out and texts:
                gone = min(texts)
                index.forget(gone, texts.pop(gone))
            else:
                texts[code] = text
                index.add(code, text)
            if code % 3 == 0:
                index.nearest(asked, 2)  # sorts on the way
        found = index.nearest(asked, 100)
    assert len(index) == len(texts)
    assert {code: pytest.approx(cosine) for cosine, code in found} == reference(texts, asked)
    assert [c for c, _ in found] == sorted((c for c, _ in found), reverse=True)


def test_only_the_best_are_returned_and_none_without_a_shared_trigram() -> None:
    index = Trigrams()
    for code, text in enumerate(["alpha", "alphb", "omega", "beta"]):
        index.add(code, text)
    assert [code for _, code in index.nearest("alpha", 2)] == [0, 1]
    assert index.nearest("zzz", 2) == []
    assert Trigrams().nearest("alpha", 2) == []
