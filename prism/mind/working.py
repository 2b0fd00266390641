"""Working memory: what the conversation is about, within a budget.

The first of two layers. It holds recent things (for "he" and "its") and statements that wait for a
confirmation; the second is the ledger. What moves, and when: a statement that the user vouches for
and whose words name everything goes to the ledger at the end of its turn, and is acknowledged only
once it is there. A statement that the user was not sure of stays here, unacknowledged, until the
user confirms or repeats it, or until it is evicted. So eviction can lose nothing that was
acknowledged, and nothing here is written to a disk: after a restart the things are those of the
ledger's last facts.

    importance(thing) = sum over its mentions of weight * DECAY ** (turns since)

A subject weighs more than an object (the ranking of centering theory, Grosz et al. 1995). The least
important thing goes when there are more than the budget.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prism.mind.perceive import lexicon
from prism.mind.perceive.phrases import Triple
from prism.mind.records import identity

THINGS, STATEMENTS = 32, 16  # budget
PRONOUN = re.compile(r"\b(?:he|she|him|his|her|hers|it|its|they|them|their)\b", re.IGNORECASE)
DECAY = 0.7
SUBJECT, OBJECT = 2.0, 1.0
MATCH, MATCH_IT = 4.0, 1.5  # factor of a thing that is known to be of the pronoun's sort
MALE = lexicon.words("male")
FEMALE = lexicon.words("female")
PEOPLE = lexicon.words("people")
PERSONS = lexicon.words("persons")
WORN_BY_PEOPLE = lexicon.words("worn_by_people")
PLACES = frozenset(
    ("lives in", "birthplace", "located in", "comes from", "capital", "headquarters", "based in")
)


@dataclass
class Thing:
    """A thing that was talked of.

    Attributes:
        name: as a fact names it.
        importance: decayed sum of its mentions.
        turn: of the last mention.
        sort: ``he``, ``she``, ``person``, ``it`` or None, as far as words have told.
    """

    name: str
    importance: float
    turn: int
    sort: str | None = None


class WorkingMemory:
    """Recent things and unconfirmed statements.

    Args:
        things: how many things at most.
        statements: how many unconfirmed statements at most.
    """

    def __init__(self, things: int = THINGS, statements: int = STATEMENTS) -> None:
        self.budget = (things, statements)
        self.turn = 0
        self.things: dict[str, Thing] = {}
        self.unconfirmed: list[Triple] = []
        self._hedged: dict[Triple, str] = {}
        self._turns: dict[Triple, int] = {}

    def next_turn(self) -> None:
        """Begin a turn: what was said before counts less."""
        self.turn += 1
        for thing in self.things.values():
            thing.importance *= DECAY

    def heard(self, fact: Triple) -> None:
        """Take in the things of a fact."""
        last = identity(fact.relation).split()[-1]
        sort = "he" if last in MALE else "she" if last in FEMALE else None
        if sort is None:
            sort = "person" if last in PEOPLE else "it" if fact.relation in PLACES else None
        if not fact.relation.startswith("number of "):
            self._mention(fact.object, OBJECT, sort)
        worn = "person" if fact.relation in WORN_BY_PEOPLE else None
        role = fact.subject.rpartition("/")[2].split()[-1:] if "/" in fact.subject else []
        if role:
            worn = "he" if role[0] in MALE else "she" if role[0] in FEMALE else worn
        self._mention(fact.subject, SUBJECT, worn)
        self._evict()

    def _mention(self, name: str, weight: float, sort: str | None) -> None:
        if name == "me" or not name[:1].isalnum():
            return
        thing = self.things.setdefault(identity(name), Thing(name, 0.0, self.turn))
        thing.importance += weight
        thing.turn = self.turn
        if thing.sort is None or (thing.sort == "person" and sort in ("he", "she")):
            thing.sort = sort

    def _evict(self) -> None:
        while len(self.things) > self.budget[0]:
            least = min(self.things, key=lambda k: (self.things[k].importance, self.things[k].turn))
            del self.things[least]

    def resolve(self, word: str, before: tuple[str, ...] = ()) -> str | None:
        """The thing that a pronoun means, or None: what its sentence has been about, else the most
        important thing of a sort that fits."""
        wanted = _sort(word)
        for name in reversed(before):
            if name != "me" and self._fits(identity(name), name, wanted):
                return name
        fitting = [t for key, t in self.things.items() if self._fits(key, t.name, wanted)]
        if not fitting:
            return None
        match = MATCH_IT if wanted == "it" else MATCH
        found = max(
            fitting, key=lambda t: (t.importance * (match if t.sort == wanted else 1.0), t.turn)
        )
        if wanted in ("he", "she"):
            found.sort = wanted
        return found.name

    def _fits(self, key: str, name: str, wanted: str) -> bool:
        sort = self.things[key].sort if key in self.things else None
        role = name.rpartition("/")[2].split()[-1] if "/" in name else ""
        sort = "he" if role in MALE else "she" if role in FEMALE else sort
        if wanted == "it":
            return sort in (None, "it")
        if wanted == "they":
            return True
        if role and sort is None:
            return role in PEOPLE or role in PERSONS
        return sort in (None, "person", wanted) and (name[:1].isupper() or "/" in name)

    def names(self) -> tuple[str, ...]:
        """Names that were heard, for turns in lower case."""
        return tuple(thing.name for thing in self.things.values() if thing.name[:1].isupper())

    def latest(self, first: str | None = None) -> tuple[str, ...]:
        """Things for the pronouns of a question: ``first``, then by turn, the latest first, and
        within a turn by importance."""
        ranked = sorted(self.things.values(), key=lambda t: (t.turn, t.importance), reverse=True)
        names = [thing.name for thing in ranked]
        return tuple(dict.fromkeys(names if first is None else [first, *names]))

    def spoken_of(self, names: Iterable[str]) -> None:
        """Take in the things of a question and its answer."""
        for name in names:
            self._mention(name, OBJECT, None)
        self._evict()

    def withdraw(self, turn: int) -> list[Triple]:
        """Drop what waits for a confirmation since a turn; what it was."""
        gone = [fact for fact in self.unconfirmed if self._turns[fact] >= turn]
        self.unconfirmed = [fact for fact in self.unconfirmed if fact not in gone]
        self._forget_others()
        return gone

    def doubted_in(self) -> int | None:
        """The last turn whose statements wait for a confirmation; None = nothing waits."""
        return max((self._turns[fact] for fact in self.unconfirmed), default=None)

    def doubt(self, facts: Iterable[Triple], words: str = "") -> None:
        """Keep statements that the user was not sure of, with the sentence that made them."""
        new = list(facts)
        self._turns |= dict.fromkeys(new, self.turn)
        self.unconfirmed = [*self.unconfirmed, *new][-self.budget[1] :]
        self._hedged |= dict.fromkeys(new, words)
        self._forget_others()

    def _forget_others(self) -> None:
        """Keep words and turns of what waits alone."""
        self._hedged = {fact: self._hedged[fact] for fact in self.unconfirmed}
        self._turns = {fact: self._turns[fact] for fact in self.unconfirmed}

    def confirm(self) -> list[Triple]:
        """Take out what waits for a confirmation."""
        return [fact for fact, _ in self.confirmed()]

    def confirmed(self) -> list[tuple[Triple, str]]:
        """The same, with the sentence in which each was said."""
        taken = [(fact, self._hedged[fact]) for fact in self.unconfirmed]
        self.unconfirmed = []
        self._forget_others()
        return taken

    def forget(self, name: str) -> None:
        """Drop a thing and what waits about it."""
        key = identity(name)
        self.things.pop(key, None)
        self.unconfirmed = [
            fact
            for fact in self.unconfirmed
            if key not in (identity(fact.subject), identity(fact.object))
        ]
        self._forget_others()


def _sort(word: str) -> str:
    if word in lexicon.NEUTER:
        return "it"
    if word in lexicon.PLURAL:
        return "they"
    return "he" if word in ("he", "him", "his", "himself") else "she"


def meant_by(question: str, resolve: Callable[[str], str | None]) -> str | None:
    """Thing that the first pronoun of a question means by its sort, "she" a woman; None = none."""
    words = (word.lower() for word in PRONOUN.findall(question))
    return next(map(resolve, words), None)
