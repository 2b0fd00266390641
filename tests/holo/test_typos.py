"""Typing errors: the distance is the plain recursion, and the fast forms agree with it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from prism.holo.keys.typos import deletions, edit_distance, is_slip, one_letter_apart

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


@given(st.text("abc", max_size=4), st.text("abc", max_size=4))
def test_edit_distance_is_the_plain_recursion(a: str, b: str) -> None:
    assert edit_distance(a, b) == plain_distance(a, b)


@given(SHORT, SHORT)
def test_one_letter_apart_is_an_edit_distance_of_one(a: str, b: str) -> None:
    assert one_letter_apart(a, b) == (edit_distance(a, b) == 1)


@given(SHORT, SHORT)
def test_bytes_are_compared_as_text_is(a: str, b: str) -> None:
    assert edit_distance(a.encode(), b.encode()) == edit_distance(a, b)
    assert one_letter_apart(a.encode(), b.encode()) == one_letter_apart(a, b)
    assert deletions(a.encode()) == {text.encode() for text in deletions(a)}


@given(SHORT, SHORT)
def test_texts_one_letter_apart_share_a_deletion(a: str, b: str) -> None:
    if edit_distance(a, b) <= 1:
        assert deletions(a) & deletions(b)


def test_a_slip_is_one_edit_or_one_in_a_word_and_in_ten_characters() -> None:
    for a, b, expected in (
        ("word", "word", True),
        ("word", "wrod", True),
        ("curency of Fredonia", "currency of Freedonia", True),
        ("ab cd", "ax cx", False),  # two edits in five characters
        ("currencyy of the Freedonians", "curency of the Freedonians", False),  # two in a word
        ("one two three four five", "one two threefour fivee", False),  # another number of words
    ):
        assert is_slip(a, b, edit_distance(a, b)) is expected, (a, b)
