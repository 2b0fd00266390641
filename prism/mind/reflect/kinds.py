"""Kinds of things: what a node is, from the relations it has, and what a question's nouns ask for.

A node is of a kind if it has a relation that only this kind has (a spouse: a person), or is the
object of one that leads there. A node about which nothing of the sort is known may be anything.
"""

from __future__ import annotations

from collections.abc import Iterable

from prism.mind.reflect.graph import Edge
from prism.mind.reflect.relations import leads_to
from prism.mind.reflect.words import NOUNS

HAS = {
    "person": "spouse birthplace birthday hobby employer job profession mother father age boss "
    "sibling brother sister home",
    "organisation": "headquarters ceo founder product employees",
    "country": "capital currency president language continent phone_code tld population anthem",
    "city": "mayor timezone river",
    "substance": "symbol discoverer series atomic_number found_in",
}
LEADS_TO = {"capital": "city", "city": "city", "country": "country", "continent": "continent"}
LEADS_TO |= {"found_in": "country", "found in": "country"}
WITHIN = {
    "place": {"country", "city", "place"},
    "continent": {"place"},
    "country": {"country", "place"},
}
WITHIN |= {"city": {"city", "place"}}
KIND_OF_NOUN = {noun: kind for kind, nouns in NOUNS.items() for noun in nouns.split()}
KIND_OF_RELATION = {
    r: kind for kind, relations in HAS.items() for name in relations.split()
    for r in {name, name.replace("_", " ")}
}  # fmt: skip


def kind_of(relations: Iterable[str], came_by: Edge | None) -> str | None:
    """Kind of a node with these relations, to which a step leads; None = not known."""
    found = {KIND_OF_RELATION[r] for r in relations if r in KIND_OF_RELATION}
    if len(found) == 1:
        return found.pop()
    if found or came_by is None or came_by.back:
        return None
    return LEADS_TO.get(came_by.relation) or leads_to(came_by.relation)


def may_be(kind: str | None, asked: str) -> bool:
    """True if a node of a kind may be what a noun of the kind ``asked`` means."""
    return (
        kind is None
        or kind == asked
        or asked in WITHIN.get(kind, ())
        or kind in WITHIN.get(asked, ())
    )
