"""Keys and their words by sorted hashes: the same as dictionaries and sets of the texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.holo.keys import index
from prism.holo.keys.index import Index
from prism.holo.keys.texts import KeyTexts
from prism.holo.keys.typos import fold

TEXT = st.text("aA bBéİя", min_size=1, max_size=6)


@pytest.mark.parametrize("tail", [0, 3, index.TAIL])
@given(st.lists(TEXT, max_size=12), st.lists(TEXT, max_size=12), st.lists(TEXT, max_size=5))
def test_an_index_finds_what_dictionaries_find(
    tail: int, first: list[str], later: list[str], asked: list[str]
) -> None:
    known, every = KeyTexts(), dict.fromkeys([*first, *later])
    codes = {text: code for code, text in enumerate(every)}
    for text in dict.fromkeys(first):
        known[codes[text]] = text
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "TAIL", tail)
        found = Index(known)
        for text in [t for t in every if t not in first]:
            known[codes[text]] = text
            found.add([(codes[text], text)])
    words = {word for text in every for word in fold(text).split()}
    for text in [*every, *asked]:
        small = fold(text)
        assert found.keys(small) == [t for t in every if fold(t) == small]
        assert found.words(small.split()) == set(small.split()) & words
    assert found.words([]) == set()
