"""A fact given as a sentence: who it is about, and which relation it states.

The subject is the longest known name in the sentence, else its last run of capitalised words. The
sentence with the subject left out is the wording; a relation that has this wording is the one
meant, and otherwise the wording is a new relation's name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from prism.inject.names import Names

if TYPE_CHECKING:
    from prism.inject.knowledge import Relation

CAPITALS = re.compile(r"[A-Z][\w-]*(?: [A-Z][\w-]*)*")
WORDS = re.compile(r"[\w-]+")


def subject_of(prompt: str, names: Names) -> str:
    """The subject of a sentence.

    Raises:
        ValueError: no known name and no capitalised word after the first.
    """
    words = [m.span() for m in WORDS.finditer(prompt)]
    spans = [(a, b) for i, (a, _) in enumerate(words) for _, b in words[i:]]
    for low, high in sorted(spans, key=lambda s: s[0] - s[1]):
        subject = names.exact(prompt[low:high].encode())
        if subject is not None:
            return subject
    runs = [m.group() for m in CAPITALS.finditer(prompt) if m.start() > 0]
    if not runs:
        raise ValueError(
            f"prompt {prompt!r}: no subject found; use bind(subject, relation, object)"
        )
    return runs[-1]


def relation_of(prompt: str, subject: str, relations: Mapping[str, Relation]) -> str:
    """The relation whose wording the sentence is, or the wording itself as a new one."""
    wording = wording_of(prompt, subject)
    for name, relation in relations.items():
        if wording in relation.wordings:
            return name
    return wording


def wording_of(prompt: str, subject: str) -> str:
    """The sentence with the subject left out."""
    at = prompt.lower().rfind(subject.lower())
    return (prompt[:at] + "{}" + prompt[at + len(subject) :]).strip()
