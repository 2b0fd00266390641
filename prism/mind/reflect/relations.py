"""Relations of a base and the words that speak of them; their mentions in a question.

A relation is spoken of by its own words, in any inflection or derivation (weight 1), by the other
words of its senses in the thesaurus (.8), by wordings that its owner gave it (1), or by a phrase
that the sentence encoder takes for it (:mod:`prism.mind.reflect.readings`). A single fact is spoken
of by the words of the sentence in which a user stated it, too (.45).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from prism.mind.records import keeps_text
from prism.mind.reflect.graph import Edge
from prism.mind.reflect.question import Question
from prism.mind.reflect.thesaurus import (
    NAMING,
    PERSON_RELATIONS,
    PLACE_RELATIONS,
    RIVALS,
    SENSES,
    SYMMETRIC,
)
from prism.mind.reflect.words import FUNCTION, LIGHT, Token, content_stems, stem, tokens

OWN, PART, SYNONYM, OF_A_KIND, HINT, SAID = 1.0, 0.7, 0.8, 0.25, 0.04, 0.45
PREFIXES = ("has ", "is ", "was ", "have ")
Stems = tuple[str, ...]


@dataclass(frozen=True)
class Mention:
    """Words of a question that speak of a relation.

    Attributes:
        places: of the words.
        weight: how surely they do.
        hint: they may point to it, but do not name it ("where").
        guess: the encoder takes them for it; they explain nothing but the step that uses them.
        said: they stand in the sentence in which a user stated the fact.
    """

    relation: str
    places: frozenset[int]
    weight: float
    hint: bool = False
    guess: bool = False
    said: bool = False


@lru_cache(maxsize=1)
def _senses() -> list[tuple[list[Stems], list[str]]]:
    lines = []
    for line in SENSES.strip().splitlines():
        hints = [e.strip()[1:] for e in line.split(",") if e.strip().startswith("~")]
        lines.append(([content_stems(e) for e in _plain(line)], hints))
    return lines


def _plain(line: str) -> list[str]:
    return [e.strip() for e in line.split(",") if not e.strip().startswith("~")]


@lru_cache(maxsize=1)
def _lines() -> list[list[str]]:
    return [_plain(line) for line in SENSES.strip().splitlines()]


@keeps_text
@lru_cache(maxsize=8192)
def entries_of(relation: str) -> tuple[dict[Stems, float], tuple[str, ...]]:
    """The runs of stems that speak of a relation, with their weights, and its hints."""
    plain = relation.replace("_", " ").replace("/", " ")
    own = content_stems(plain)
    found: dict[Stems, float] = {own: OWN}
    hints: list[str] = []
    for entries, words in _senses():
        if own in entries:
            hints += words
            for entry in entries:
                if frozenset(own + entry) not in _rivals():
                    found.setdefault(entry, SYNONYM)
    if len(own) > 1:
        for part in own:  # "phone" of "phone code"
            found.setdefault((part,), PART)
    for part in _halves(own):  # "birth" of "birthplace", "time" of "timezone"
        found.setdefault((part,), PART)
    return found, tuple(dict.fromkeys(hints))


@lru_cache(maxsize=1)
def _rivals() -> frozenset[frozenset[str]]:
    return frozenset(frozenset(map(stem, pair)) for pair in RIVALS)


@keeps_text
@lru_cache(maxsize=8192)
def phrases_of(relation: str, wordings: tuple[str, ...] = ()) -> tuple[str, ...]:
    """A relation's name and the phrases that speak of it, as text for an encoder."""
    plain = relation.replace("_", " ").replace("/", " ")
    own, found = content_stems(plain), [plain, *wordings]
    for line in _lines():
        if own in [content_stems(entry) for entry in line]:
            found += line
    return tuple(dict.fromkeys(found))


def sense_heads() -> tuple[str, ...]:
    """The first entry of each sense."""
    return tuple(dict.fromkeys(line[0] for line in _lines()))


def _halves(own: Stems) -> list[str]:
    """Parts of a word that is made of two known ones."""
    if len(own) != 1:
        return []
    known = _known_stems()
    word = own[0]
    return [
        half
        for cut in range(4, len(word) - 3)
        if word[:cut] in known and word[cut:] in known
        for half in (word[:cut], word[cut:])
    ]


@lru_cache(maxsize=1)
def _known_stems() -> frozenset[str]:
    of_senses = {s for entries, _ in _senses() for entry in entries for s in entry}
    return frozenset(of_senses | {stem(w) for w in LIGHT} | {"birth", "zon", "plac", "date", "dat"})


class Vocabulary:
    """Words of a set of relations.

    Args:
        wordings: further phrases by relation, given by whoever made it.
    """

    def __init__(self, wordings: Mapping[str, Sequence[str]] | None = None) -> None:
        self.relations: set[str] = set()
        self.wordings = {r: tuple(phrases) for r, phrases in (wordings or {}).items()}
        self._by_first: dict[str, list[tuple[Stems, str, float]]] = defaultdict(list)
        self._by_hint: dict[str, list[str]] = defaultdict(list)

    def add(self, relations: Iterable[str]) -> None:
        """Learn the words of relations that are new."""
        for relation in relations:
            if relation in self.relations:
                continue
            self.relations.add(relation)
            entries, hints = entries_of(relation)
            given = {content_stems(p): OWN for p in self.wordings.get(relation, ())}
            for stems, weight in {**entries, **given}.items():
                self._by_first[stems[0]].append((stems, relation, weight))
            for word in hints:
                self._by_hint[word].append(relation)

    def _shortened(self, word: str) -> list[str]:
        """Relations that are the beginning of a word, and half of it at least."""
        if len(word) < 8:
            return []
        sizes = range(max(5, len(word) // 3), len(word) - 3)
        return [
            word[:n] for n in sizes if word[:n] in self.relations and word[:n] in self._by_first
        ]

    def mentions(self, words: Sequence[Token], free: Sequence[int]) -> list[Mention]:
        """All mentions of relations among the words at the places ``free``."""
        found: list[Mention] = []
        allowed = set(free)
        for i in free:
            for stems, relation, weight in self._by_first.get(words[i].stem, ()):
                places = _run(words, i, stems, allowed)
                if places and all(words[p].of_a_kind for p in places):
                    weight = OF_A_KIND
                if places:
                    found.append(Mention(relation, places, weight))
            for head in self._shortened(words[i].lower):  # "physiotherapist" beside "physio"
                for stems, relation, _ in self._by_first[head]:
                    if len(stems) == 1:
                        found.append(Mention(relation, frozenset([i]), PART))
            for relation in self._by_hint.get(words[i].lower, ()):
                found.append(Mention(relation, frozenset([i]), HINT, hint=True))
        return _widest(found)


def _run(
    words: Sequence[Token], first: int, stems: Stems, allowed: set[int]
) -> frozenset[int] | None:
    """Places of a run of stems from ``first`` on; function words may stand between them."""
    places, at = [first], first + 1
    for wanted in stems[1:]:
        while at < len(words) and at in allowed and words[at].stem != wanted:
            if words[at].lower not in FUNCTION:
                return None
            at += 1
        if at >= len(words) or at not in allowed:
            return None
        places.append(at)
        at += 1
    return frozenset(places)


def _widest(found: list[Mention]) -> list[Mention]:
    """Mentions without those that lie within a longer one of the same relation."""
    by_relation: dict[str, list[Mention]] = defaultdict(list)
    for mention in sorted(found, key=lambda m: (-len(m.places), -m.weight)):
        if not any(mention.places <= other.places for other in by_relation[mention.relation]):
            by_relation[mention.relation].append(mention)
    return [mention for some in by_relation.values() for mention in some]


@keeps_text
@lru_cache(maxsize=8192)
def leads_to(relation: str) -> str | None:
    """Kind of the objects of a relation: ``"person"``, ``"place"`` or None = not known."""
    own = content_stems(relation.replace("_", " "))
    if own[-1] in _stems(PERSON_RELATIONS):
        return "person"
    return (
        "place" if own[-1] in _stems(PLACE_RELATIONS) or own[0] in _stems(PLACE_RELATIONS) else None
    )


@lru_cache(maxsize=8)
def _stems(words: frozenset[str]) -> frozenset[str]:
    return frozenset(stem(w) for w in words)


def symmetric(relation: str) -> bool:
    """True if a relation holds both ways."""
    return content_stems(relation.replace("_", " "))[0] in _stems(SYMMETRIC)


def naming(relation: str) -> bool:
    """True if a relation gives a thing's name."""
    return relation in NAMING


class Said:
    """Words of a question that stand in the sentence in which a user stated a fact: they explain it
    as its relation's words do, with less weight ("which day" beside "rehearses on Fridays").

    Args:
        question: its words.
        required: places of those that something must explain.
    """

    def __init__(self, question: Question, required: set[int]) -> None:
        self._stems = {p: question.words[p].stem for p in required if not question.turning(p)}
        self._places: dict[int, frozenset[int]] = {}

    def places(self, edge: Edge) -> frozenset[int]:
        """Places of the words that a fact's own sentence explains; none for a step back."""
        fact = edge.fact
        if fact is None or edge.back or fact.source.kind != "user" or not fact.source.text:
            return frozenset()
        if fact.id not in self._places:
            stems = {word.stem for word in tokens(fact.source.text)}
            self._places[fact.id] = frozenset(p for p, s in self._stems.items() if s in stems)
        return self._places[fact.id]
