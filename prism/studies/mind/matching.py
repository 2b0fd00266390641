"""Equality of facts and answers in the protocol: spelling, stems of a relation, its senses.

A set lists every acceptable name of a relation, and may list several spellings of an object. An
extracted relation is right if its stems are those of a listed name, or if a listed name has the
sense under which the knowledge base keeps it (``works for`` and ``employer`` are one relation
there). Subject and object must be the same text but for case, article, quotes and full stops. A
relation that has an inverse may be stated either way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from prism.mind.perceive import Triple, lexicon
from prism.mind.records import identity

GoldFact = tuple[str, Sequence[str], str | Sequence[str]]
LITTLE = frozenset(
    re.findall(r"\w+", "in at on for is has of the by to as from with a an was are and")
)
SUFFIX = re.compile(r"(?:ies|ied|es|ed|ing|s|e|y)$")


def spellings(thing: str | Sequence[str]) -> list[str]:
    """The spellings of an object of a set."""
    return [thing] if isinstance(thing, str) else list(thing)


def spelled(text: str) -> str:
    """A name without case, article, quotes and full stops."""
    bare = re.sub(r"[.,!\"'’“”]", "", text).strip()
    return re.sub(r"^(?:a|an|the) (?=.)", "", identity(bare)) if bare else ""


def stems(relation: str) -> tuple[str, ...]:
    """The words of a relation that carry it, without their endings."""
    words = re.sub(r"[_/-]", " ", spelled(relation).replace("favourite", "favorite")).split()
    found = tuple(SUFFIX.sub("", w) if len(w) > 3 else w for w in words if w not in LITTLE)
    return found or tuple(words)


def same_relation(found: str, names: Sequence[str], strict: bool = False) -> bool:
    """True if an extracted relation is one of the acceptable names.

    Args:
        strict: by its own name only, not by its sense.
    """
    wanted = {stems(name) for name in names}
    own = [found] if strict else [found, *lexicon.sense(found)]
    return any(stems(name) in wanted for name in own)


def same_fact(found: Triple, gold: GoldFact, strict: bool = False) -> bool:
    """True if an extracted fact is the one of the set."""
    subject, names, thing = gold
    ends = {spelled(each) for each in spellings(thing)}
    first, second, start = spelled(found.subject), spelled(found.object), spelled(subject)
    if first == start and second in ends:
        return same_relation(found.relation, names, strict)
    if second == start and first in ends:
        return any(
            same_relation(inverse, names, strict) for inverse in lexicon.inverses(found.relation)
        )
    return False


def right(answer: str | None, wanted: Sequence[str]) -> bool:
    """True if an answer is one of those wanted."""
    return answer is not None and spelled(answer) in {spelled(each) for each in wanted}
