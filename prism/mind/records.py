"""Records of the knowledge base, and the one spelling by which a name is found.

A fact says that ``object`` is the ``relation`` of ``subject``. It has two intervals of time, as in
Snodgrass (1999): the time during which it holds in the world, ``[valid_from, valid_to)``, and the
time during which the base believed it, ``[recorded_at, retired_at)``. Seconds since 1970; None is
open.
"""

from __future__ import annotations

import functools
import re
import weakref
from dataclasses import dataclass
from typing import Any

from prism.holo.keys.normal import normal_key

TRUST = {"user": 3, "api": 2, "file": 1}
# Relation of a remark: its object is a sentence about its subject, kept in its own words.
SAID = "as was said"
ARTICLE = re.compile(r"the (?=.)")


@dataclass(frozen=True)
class Source:
    """Provenance of a fact.

    Attributes:
        kind: ``user`` (said in a conversation), ``api`` (written by a program) or ``file``; the
            order of trust.
        uri: speaker, program or path.
        line: of a file, counted from 1.
        text: the words that said it.
    """

    kind: str = "api"
    uri: str | None = None
    line: int | None = None
    text: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in TRUST:
            raise ValueError(f"source kind {self.kind!r}: must be one of {', '.join(TRUST)}")

    def __str__(self) -> str:
        where = self.uri or self.kind
        return where if self.line is None else f"{where}:{self.line}"


@dataclass(frozen=True)
class Fact:
    """A fact of the ledger, live or not.

    Attributes:
        id: number of the row, never used again.
        many: the relation takes several objects at once.
        superseded_by: the fact that took its place, or None.
    """

    id: int
    subject: str
    relation: str
    object: str
    many: bool
    source: Source
    recorded_at: float
    valid_from: float | None = None
    valid_to: float | None = None
    retired_at: float | None = None
    superseded_by: int | None = None

    @property
    def live(self) -> bool:
        """True while the base believes it."""
        return self.retired_at is None

    def __str__(self) -> str:
        return f"{self.relation} of {self.subject} = {self.object}"


_KEEPING: weakref.WeakSet[Any] = weakref.WeakSet()


def keeps_text(cache: Any) -> Any:
    """Register a cache of texts, anything with a ``cache_clear``, for :func:`forget_texts`."""
    _KEEPING.add(cache)
    return cache


def forget_texts() -> None:
    """Empty all caches of texts of this process: some text was erased."""
    for cache in list(_KEEPING):
        cache.cache_clear()


@keeps_text
@functools.lru_cache(maxsize=4096)
def identity(name: str, what: str = "name") -> str:
    """The spelling by which a subject, relation or object is found: Unicode NFC, one space between
    words, no case, no article in front.

    Raises:
        ValueError: an empty name, or one that is no text; ``what`` says of which field.
    """
    if not isinstance(name, str):
        raise ValueError(f"{what} {name!r}: must be text, not {type(name).__name__}")
    try:
        plain = normal_key(name)
    except ValueError:
        raise ValueError(f"{what} {name!r}: must be text that is not empty") from None
    return ARTICLE.sub("", str(normal_key(str(plain).casefold())), count=1)
