"""Synchronisation: a view of a fact store in token ids, equal to the store whenever it is read.

A key says a relation and a subject ("capital of Freedonia") or is a sentence that stops where its
value follows ("The capital of Freedonia is"). Each new fact is asked of the store, so the view
holds what the store answers; what it answers with "unknown", and what cannot be put into tokens, is
listed in ``skipped`` with the reason and tried again at the next change.
"""

from __future__ import annotations

import re
import time as clock
from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

from prism.holo import Fact, FactStore, HoloTape

STATED = re.compile(r"(?:[Tt]he )?(?P<rest>.+? of .+?)(?: (?:is|was|are|were))?")
OF = re.compile(r" of ")
SUBJECT_START = re.compile(r"[Tt]he |[^\W\d_a-zß-öø-ÿ]|\d")
OPEN_END = re.compile(r".*\b(?:is|was|are|were|be|called|in|by|the|of|to|on|at|from)")
SMALLEST = 6_000  # tokens that a view has room for at least


class Skipped(NamedTuple):
    """A fact of the store that the view does not hold, and why."""

    key: str
    why: str


class LiveView(ABC):
    """Base of the views of a :class:`~prism.holo.FactStore`.

    Args:
        store: the facts; the view compares its ``revision``.

    Attributes:
        skipped: what the view does not hold.

    Raises:
        ValueError: the store cannot list its facts.
    """

    def __init__(self, store: FactStore) -> None:
        next(iter(store.facts()), None)  # a tape without a ledger says so here, not later
        self.store = store
        self.skipped: list[Skipped] = []
        self._revision: int | None = None
        self._room = 0
        self._counts: dict[Fact, int] = {}
        self._held: dict[Any, Fact] = {}
        self._addresses: dict[Any, Hashable] = {}
        self._keys: dict[Hashable, Any] = {}

    @abstractmethod
    def reset(self, room: int) -> None:
        """Empty the view and give it room for ``room`` tokens."""

    @abstractmethod
    def tokens_of(self, answer: str) -> int:
        """Number of tokens that an answer takes."""

    @abstractmethod
    def place(self, key: str) -> Hashable:
        """The address that a key names; raises ValueError where it names none."""

    @abstractmethod
    def add(self, address: Hashable, answer: str, source: str | None) -> None:
        """Hold an answer; raises ValueError where it cannot be put into tokens."""

    @abstractmethod
    def remove(self, address: Hashable) -> None:
        """Take an answer out."""

    def key_of(self, address: Hashable) -> Any:
        """The store's key of the fact at an address; None if there is none."""
        return self._keys.get(address)

    def sync(self) -> bool:
        """Follow the store if it has changed; whether it had."""
        if self.store.revision == self._revision:
            return False
        facts = list(self.store.facts())
        self._counts = {
            f: self._counts[f] if f in self._counts else self.tokens_of(str(f.value)) for f in facts
        }
        if sum(self._counts.values()) > self._room:
            self._room = max(SMALLEST, 2 * sum(self._counts.values()))
            self._held, self._addresses, self._keys = {}, {}, {}
            self.reset(self._room)
        now = {fact.key: fact for fact in facts}
        for key in [k for k, fact in self._held.items() if now.get(k) != fact]:
            self._drop(key)
        self.skipped = []
        self._take([fact for fact in facts if fact.key not in self._held])
        self._revision = self.store.revision
        return True

    def write(self, key: str, value: str, source: str | None) -> None:
        """Bind a fact in the store, or give it another value, and follow at once.

        Raises:
            ValueError: the store does not take the value.
        """
        self.sync()
        known = key in self.store
        now = clock.time()
        (self.store.update if known else self.store.bind)(key, value, source, now)
        fact = Fact(key, value, source, now)
        self._counts = {f: n for f, n in self._counts.items() if f.key != key}
        self._counts[fact] = self.tokens_of(value)
        if sum(self._counts.values()) > self._room:
            self.sync()
            return
        if key in self._held:
            self._drop(key)
        self.skipped = [s for s in self.skipped if s.key != key]
        self._take([fact])
        self._revision = self.store.revision

    def forget(self, address: Hashable) -> None:
        """Forget the fact at an address in the store and here; raises KeyError if none is held."""
        self.store.forget(self._keys[address])
        self.sync()

    def _take(self, facts: Sequence[Fact]) -> None:
        for fact, answer in zip(facts, _answers(self.store, facts), strict=True):
            if isinstance(answer, Skipped):
                self.skipped.append(answer)
                continue
            try:
                address = self.place(fact.key)
                other = self._keys.setdefault(address, fact.key)
                if other != fact.key:
                    raise ValueError(f"asks for the same as the key {other!r}")
                try:
                    self.add(address, answer, fact.source)
                except ValueError:
                    del self._keys[address]
                    raise
            except ValueError as error:
                self.skipped.append(Skipped(fact.key, str(error)))
            else:
                self._held[fact.key], self._addresses[fact.key] = fact, address

    def _drop(self, key: Any) -> None:
        address = self._addresses.pop(key)
        del self._held[key], self._keys[address]
        self.remove(address)


def _answers(store: FactStore, facts: Sequence[Fact]) -> list[str | Skipped]:
    """Answers of the store to the keys of ``facts``, as text."""
    keys = [fact.key for fact in facts if isinstance(fact.key, str)]
    if isinstance(store, HoloTape):
        recalls = store.recall_many(keys, resolve=False)
    else:
        recalls = [store.recall(key) for key in keys]
    values = {key: recall.value for key, recall in zip(keys, recalls, strict=True)}
    answers: list[str | Skipped] = []
    for key in (fact.key for fact in facts):
        if not isinstance(key, str):
            answers.append(Skipped(f"#{key:016x}", "its text is not kept on the tape"))
        elif values[key] is None:
            answers.append(Skipped(key, "the tape is too full to answer it"))
        elif not isinstance(values[key], str | int):
            answers.append(Skipped(key, f"value {values[key]!r} is not text"))
        else:
            answers.append(str(values[key]))
    return answers


def parts(key: str) -> tuple[str, ...]:
    """``(subject, relation)`` of a phrase, or ``(sentence,)``.

    "RELATION of SUBJECT", with "the" before it and "is" after it or without: these are one key.
    Where "of" stands twice, the subject begins with a capital, a digit or "the"; without any, at
    the last one.
    """
    phrase = STATED.fullmatch(key)
    if phrase is None or OPEN_END.fullmatch(phrase["rest"]):
        return (key,)
    text = phrase["rest"]
    places = [m.span() for m in OF.finditer(text) if m.start() and m.end() < len(text)]
    if not places:
        return (key,)
    named = (p for p in places if SUBJECT_START.match(text, p[1]))
    low, high = next(named, places[-1])
    return text[high:], text[:low]
