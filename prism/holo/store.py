"""Protocol of a store of facts: what a view or a knowledge base may ask of one.

A fact is one value under one key, with the source that bound it and the time of it. A view (the
accumulator of a language model, a page of search results) keeps the ``revision`` that it was made
from and is rebuilt from :meth:`FactStore.facts` when that has changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable

from prism.holo.algebra.codes import Key
from prism.holo.recall import Recall


class Fact(NamedTuple):
    """One live fact: the key's text where the store keeps it, else its hash; ``time`` in seconds
    since 1970."""

    key: Key
    value: Any
    source: str | None
    time: float


@runtime_checkable
class FactStore(Protocol):
    """Facts by key, as :class:`prism.holo.tape.HoloTape` keeps them.

    Attributes:
        revision: grows at every change of the facts; equal revisions mean equal facts.
    """

    revision: int

    def bind(
        self, key: Key, value: Any, source: str | None = None, time: float | None = None
    ) -> None:
        """Add a fact; the same fact again changes nothing.

        Raises:
            ValueError: the key is bound to another value.
        """
        ...

    def update(
        self, key: Key, value: Any, source: str | None = None, time: float | None = None
    ) -> None:
        """Replace the value of a bound key; raises KeyError where it is not bound."""
        ...

    def forget(self, key: Key) -> None:
        """Remove a fact exactly; raises KeyError where it is not bound."""
        ...

    def recall(self, key: Key) -> Recall:
        """The value under a key with its confidence and source; ``value`` None = unknown."""
        ...

    def facts(self) -> Iterator[Fact]:
        """All live facts, in the order they were bound."""
        ...

    def __len__(self) -> int:
        """Live facts."""
        ...

    def __contains__(self, key: Key) -> bool:
        """True if a fact is bound under ``key``."""
        ...
