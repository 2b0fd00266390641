"""Grammatical functions in a parse: the subject of a clause, its prepositions, coordination."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prism.mind.perceive import lexicon
from prism.mind.perceive.span import firm, text

if TYPE_CHECKING:
    from spacy.tokens import Token

TOWARDS = frozenset({"move", "relocate", "allergic", "married", "related", "close", "next"})
SUBJECTS = ("nsubj", "nsubjpass")


def subject_of(verb: Token) -> Token | None:
    """The subject of a clause, its own or one that the grammar shares with it."""
    for child in verb.children:
        if child.dep_ in SUBJECTS:
            return child
    if verb.dep_ in ("conj", "xcomp") or (verb.dep_ == "advcl" and verb.tag_ in ("VBN", "VBG")):
        return subject_of(verb.head) if verb.head is not verb else None
    if verb.dep_ == "acl" and verb.tag_ in ("VBN", "VBG"):
        return verb.head
    return None


def conjuncts(noun: Token) -> list[Token]:
    """A noun and those that "and" joins to it."""
    if firm(noun):
        return [noun]
    return [
        noun,
        *(
            each
            for each in noun.conjuncts
            if (each.i > noun.i and each.pos_ != "VERB") or noun.pos_ == "VERB"
        ),
    ]


def prepositions(head: Token) -> list[tuple[Token, Token]]:
    """Prepositions of a verb or noun with their objects; "by" of a passive too."""
    found = []
    for child in head.children:
        if child.dep_ == "xcomp" and head.lemma_ in TOWARDS:
            to = next((c for c in child.children if c.dep_ == "aux" and c.lower_ == "to"), None)
            if to is not None and not any(c.dep_ == "dobj" for c in child.children):
                found.append(
                    (to, child)
                )  # "allergic to shellfish", which the parser takes for a verb
        if child.dep_ in ("prep", "agent") or (child.dep_ == "oprd" and child.tag_ == "IN"):
            for noun in child.children:
                if noun.dep_ in ("pobj", "pcomp"):
                    found.append((child, noun))
                    if is_time(noun):  # "on 4 March in Tarsk": the place is the verb's
                        found += [
                            pair
                            for t in noun.subtree
                            for pair in prepositions(t)
                            if t.dep_ != "prep" and pair[0].lower_ in ("in", "at", "for")
                        ]
                elif noun.dep_ == "prep":  # "from in", "out of"
                    found += [(noun, inner) for inner in noun.children if inner.dep_ == "pobj"]
    return found


def attached(noun: Token, *deps: str) -> list[Token]:
    """The children of a noun with one of some dependencies."""
    return [child for child in noun.children if child.dep_ in deps]


def is_time(noun: Token) -> bool:
    """True for a date, a time or a span of it."""
    if noun.ent_type_ in ("DATE", "TIME") and noun.pos_ != "PROPN":
        return True
    if noun.lemma_.lower() in lexicon.SPANS:
        return True
    return noun.ent_type_ in ("DATE", "TIME") and not (
        noun.pos_ == "PROPN" and noun.lower_ in lexicon.SPANS | {"time"}
    )


def phrase_of(token: Token) -> str:
    """The words of a phrase as they were typed."""
    return text(token)


def proper(noun: Token) -> bool:
    """True for a name, also for one that the tagger takes for a common noun: capitalised, without
    an article, and with a verb in the singular."""
    if noun.pos_ == "PROPN":
        return True
    bare = not any(child.dep_ in ("det", "poss", "amod") for child in noun.children)
    return bare and noun.text[:1].isupper() and noun.head.tag_ == "VBZ"


def generic(noun: Token) -> bool:
    """True for a subject that is nobody in particular: "all dogs", "an apple", "chemists"."""
    if noun.pos_ != "NOUN" or noun.lower_ in lexicon.GENERIC:
        return False
    if proper(noun):
        return False
    dets = [child.lower_ for child in noun.children if child.dep_ in ("det", "poss", "predet")]
    if not dets:
        return noun.tag_ == "NNS"
    return dets[0] in ("a", "an", "all", "every", "some", "most", "many", "no", "any", "each")


def has_clause(noun: Token) -> bool:
    """True for a noun that a relative clause describes."""
    return any(child.dep_ == "relcl" for child in noun.children)


def is_gapped(noun: Token) -> bool:
    """True for a noun whose relative clause has a subject of its own: "the firm Ann works for"."""
    return any(
        inner.dep_ == "nsubj" and inner.tag_ not in ("WP", "WDT")
        for child in noun.children
        if child.dep_ == "relcl"
        for inner in child.children
    )


def number_in(noun: Token) -> bool:
    """True for "five million people"."""
    return any(child.dep_ == "nummod" for child in noun.children)
