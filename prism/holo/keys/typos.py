"""Typing errors: edit distance, and strings that are one letter apart.

An edit is a deletion, an insertion, a substitution or a swap of neighbouring letters (Damerau 1964;
the restricted distance, in which no letter is edited twice). Texts are str or bytes.

To find all known strings one letter away from a text, index each known string under all its
:func:`deletions` and look the text up under its own (the symmetric-delete method): strings that are
one letter apart share a deletion, so a lookup costs the same with ten strings as with ten thousand.
"""

from __future__ import annotations

from typing import TypeVar

EDIT_LENGTH = 10  # characters per edit that is still taken for a misspelling
Text = TypeVar("Text", str, bytes)


def edit_distance(a: Text, b: Text) -> int:
    """The fewest edits that turn ``a`` into ``b``."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        new = [i]
        for j, y in enumerate(b, 1):
            cost = min(row[j] + 1, new[j - 1] + 1, row[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            new.append(cost)
        before, row = row, new
    return row[-1]


def one_letter_apart(a: Text, b: Text) -> bool:
    """True if exactly one edit turns ``a`` into ``b``; linear in their length."""
    if abs(len(a) - len(b)) > 1 or a == b:
        return False
    same = 0
    while same < min(len(a), len(b)) and a[same] == b[same]:
        same += 1
    x, y = a[same:], b[same:]
    if len(x) == len(y):
        return x[1:] == y[1:] or (x[:2] == y[1::-1] and x[2:] == y[2:])
    return x[1:] == y if len(x) > len(y) else x == y[1:]


def deletions(text: Text) -> set[Text]:
    """The text, and the text with each of its letters left out."""
    return {text, *(text[:i] + text[i + 1 :] for i in range(len(text)))}


def is_slip(a: str, b: str, edits: int) -> bool:
    """True if ``a`` can be a misspelt ``b``, ``edits`` away: one edit, or at most one per word and
    per ``EDIT_LENGTH`` characters."""
    if edits <= 1:
        return True
    words, others = a.split(), b.split()
    if len(words) != len(others) or edits > max(len(a), len(b)) // EDIT_LENGTH:
        return False
    return all(edit_distance(x, y) <= 1 for x, y in zip(words, others, strict=True))
