"""Texts of keys: a dictionary in order, in three arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.holo.keys import texts
from prism.holo.keys.texts import KeyTexts


@pytest.mark.parametrize("waiting", [0, 2, texts.WAITING])
@given(st.lists(st.tuples(st.integers(0, 9), st.text("ab\né\ud800я", max_size=3)), max_size=20))
def test_texts_are_a_dictionary_in_order_through_saving(
    waiting: int, steps: list[tuple[int, str]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "WAITING", waiting)
        follow(steps)


def follow(steps: list[tuple[int, str]]) -> None:
    known, plain = KeyTexts(), {}
    for code, text in steps:
        if text == "":
            assert known.pop(code) == plain.pop(code, None)
        elif code not in plain:
            known[code] = plain[code] = text
        if code == 1:
            known.arrays()
        if code == 0:
            known = KeyTexts(*known.arrays())
        for size in (1, 3):
            assert [t for part in known.parts(size) for t in part] == list(plain.values())
        assert (known.values(), known.codes().tolist()) == (list(plain.values()), list(plain))
        assert all((c in known) == (c in plain) and known.get(c) == plain.get(c) for c in range(10))
        codes = np.arange(10, dtype=np.uint64)
        assert known.absent(codes).tolist() == [c not in plain for c in range(10)]
        assert known.nbytes == sum(len(t.encode("utf-8", "surrogatepass")) for t in plain.values())


def test_arrays_that_are_no_texts_are_refused() -> None:
    blob, ends, codes = np.frombuffer(b"ab\n", np.uint8), np.array([2]), np.zeros(1, np.uint64)
    assert KeyTexts(blob, ends, codes).values() == ["ab"]
    for wrong in [(blob[:1], ends, codes), (blob, ends[:0], codes), (blob, ends + 1, codes)]:
        with pytest.raises(ValueError, match="texts of the keys"):
            KeyTexts(*wrong)


@given(st.lists(st.text("ab\né\ud800я", min_size=1, max_size=3), max_size=30), st.integers(0, 30))
def test_many_texts_at_once_are_the_same_as_one_by_one(several: list[str], kept: int) -> None:
    codes = np.random.default_rng(len(several)).permutation(len(several)).astype(np.uint64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "WAITING", 4)
        known, plain = KeyTexts(), KeyTexts()
        known.extend(codes[:kept], several[:kept])
        known.absent(codes)  # the order of the hashes is made, and kept from now on
        known.extend(codes[kept:], several[kept:])
    for code, text in zip(codes.tolist(), several, strict=True):
        plain[code] = text
    assert known.values() == plain.values() == several
    assert [known.get(code) for code in codes.tolist()] == several
    assert not known.absent(codes).any()
    assert all((a == b).all() for a, b in zip(known.arrays(), plain.arrays(), strict=True))
