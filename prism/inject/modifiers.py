"""Questions about something derived: the former capital of, the capital of the country north of.

Their hidden states look like those of the plain question. Their words do not: something that no
wording of the relation has stands directly before its noun, or between the noun and the subject.
Where the noun is not in the sentence at all there is nothing to compare, and nothing is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

WORD = re.compile(r"[^\W_]+")
SENTENCE = re.compile(r"[.?!\n]")
PLAIN = frozenset(
    WORD.findall(
        "a an and any as at by do does for from has have i in is it its know me of on or our own "
        "s say tell that the their this to was we what which with you your"
    )
)


def noun_of(wordings: Sequence[str]) -> frozenset[str]:
    """The content words that every wording has."""
    shared = frozenset.intersection(*(frozenset(words(w)) for w in wordings))
    return shared - PLAIN


def altered(text: str, subject: str, wordings: Sequence[str]) -> bool:
    """Whether the last sentence of ``text`` turns the relation of ``subject`` into another one.

    Args:
        text: what was read so far.
        subject: the subject as it is written there.
        wordings: of the relation, ``{}`` for the subject.
    """
    sentence = SENTENCE.split(text.rstrip(" .?!\n:"))[-1]
    before, found, _ = sentence.rpartition(subject)
    noun = noun_of(wordings)
    if not found or not noun:
        return False
    read = words(before)
    places = [i for i, word in enumerate(read) if word in noun]
    allowed = PLAIN.union(*map(words, wordings))
    if noun <= set(read):  # the capital of ... X
        first = places[-len(noun)]
        return any(w not in allowed for w in read[max(0, first - 1) :])
    return False


def words(text: str) -> list[str]:
    """Lower-case words."""
    return WORD.findall(text.lower())
