"""Text from tokens: whole characters, and an end where a stop text begins."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.data.tokens import ByteTokenizer
from prism.model.generation.text import stream_text, until


def saying(text: str):
    """A step of a model that says ``text``, byte by byte, whatever it is asked."""

    def step(tokens, state):
        at = state or 0
        return torch.eye(257)[[text.encode()[at]]] * 9, at + 1, at

    return step


def said(text: str, stop: tuple[str, ...] = ()) -> list[tuple[str, int | None, int | None]]:
    """Pieces of ``text`` as they come."""
    count = len(text.encode())
    return list(stream_text(saying(text), ByteTokenizer(), "x", count, stop=stop))


def test_a_stop_text_and_what_follows_is_left_out():
    assert "".join(p[0] for p in said("one. two. three", (". t",))) == "one"
    assert "".join(p[0] for p in said("one. two. three", ("four", "wo"))) == "one. t"
    assert "".join(p[0] for p in said("one", ("two",))) == "one"


def test_each_piece_keeps_its_token_and_note():
    assert said("abc", ("c",)) == [("a", 97, 0), ("b", 98, 1)]
    assert said("aé.", (".",)) == [("a", 97, 0), ("", 0xC3, 1), ("é", 0xA9, 2)]


def test_text_that_may_begin_a_stop_text_waits_until_it_is_known():
    seen = []

    def pieces():
        for c in "a==b==>c":
            seen.append(c)
            yield c, None, None

    came = until(pieces(), ("==>",))
    assert [(next(came)[0], len(seen)) for _ in range(4)] == [
        ("a", 1),
        ("=", 4),
        ("=", 4),
        ("b", 4),
    ]
    assert list(came) == []
    assert "".join(seen) == "a==b==>"  # nothing is drawn behind the end


texts = st.text("ab", max_size=12)


@given(st.lists(texts, max_size=8), st.lists(st.text("ab", min_size=1, max_size=4), max_size=3))
def test_the_text_ends_where_the_first_complete_stop_text_begins(parts, stop):
    whole = ""
    wanted = None
    for part in parts:
        whole += part
        found = [whole.find(s) for s in stop if s in whole]
        if found:
            wanted = whole[: min(found)]
            break
    came = until(((part, None, i) for i, part in enumerate(parts)), stop)
    assert "".join(p[0] for p in came) == (whole if wanted is None else wanted)


def test_bad_input_is_refused_before_anything_is_read():
    with pytest.raises(ValueError, match="stop = '': must not be empty"):
        said("a", ("",))
    with pytest.raises(ValueError, match="prompt = '': must hold at least one token"):
        stream_text(saying("a"), ByteTokenizer(), "", 1)
