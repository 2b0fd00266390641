"""Remarks: statements of fact as sentences that can be read alone.

A sentence is kept if a clause of it is asserted (:func:`prism.mind.perceive.guards.asserted`,
events too), it is no opinion, and it speaks to nobody. Pronouns for what earlier sentences named
are written out: "She lives above the bakery" is kept as "Signora Bassi lives above the bakery".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prism.mind.perceive import guards, lexicon
from prism.mind.perceive.grammar import subject_of
from prism.mind.perceive.phrases import Phrases, Resolver

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

POSSESSIVE = frozenset({"his", "her", "its", "their"})
ADDRESSED = frozenset({"you", "your", "yours", "yourself"})
TELLING = frozenset({"write", "read", "watch", "tell", "invent", "imagine"})
SHORTEST = 3  # words
DENIED = re.compile(r"\b(?:false|untrue|incorrect|a lie|a myth|nonsense) that\b", re.IGNORECASE)
LEFT_OPEN = guards.ATTITUDES | lexicon.WISHING | {"write", "intend", "claim", "say", "tell", "ask"}


@dataclass(frozen=True)
class Remark:
    """A sentence that is kept.

    Attributes:
        topic: what it is about, as a fact's subject.
        text: the sentence, to be read alone.
        words: the sentence as it was typed, where its parts are perceived apart; else "".
    """

    topic: str
    text: str
    words: str = ""


def remark(doc: Doc, resolve: Resolver, before: list[str]) -> Remark | None:
    """Remark of a parsed sentence; None where nothing in it is asserted.

    Args:
        doc: the parse; the guards of whole sentences have passed it.
        resolve: who is meant by a pronoun.
        before: what the turn has been about.
    """
    if (
        sum(not t.is_punct for t in doc) < SHORTEST
        or doc[0].lower_ in ("say", "thank", "thanks")
        or guards.OPINION.search(doc.text)
        or DENIED.search(doc.text)
    ):
        return None
    verbs = [t for t in doc if t.dep_ in guards.CLAUSES and t.pos_ in ("VERB", "AUX")]
    said = [verb for verb in verbs if guards.asserted(verb, events=True) or guards.ended(verb)]
    kept = [verb for verb in said if not _open(verb)]
    if not kept and not (_unparsed(doc) and not verbs) and not _named(doc):
        return None
    topic = _topic(doc, kept[0] if kept else doc[:].root, resolve, before)
    return Remark(topic, written_out(doc, resolve, before))


def _open(verb: Token) -> bool:
    """True for a clause that leaves open what it is about: somebody says or wishes it, or it is
    about the one who is spoken to."""
    content = verb.tag_ == "VBG" or any(c.dep_ in ("ccomp", "xcomp") for c in verb.children)
    told = any(t.lemma_ in lexicon.FICTION for t in verb.subtree) and verb.lemma_ in TELLING
    return _to_you(verb) or told or (content and verb.lemma_ in LEFT_OPEN)


def _unparsed(doc: Doc) -> bool:
    """True for a sentence about something named whose verb the parser takes for a noun ("The Black
    Fern ferry sails at 7:40")."""
    words = {t.lower_ for t in doc}
    known = any(t.pos_ == "PROPN" for t in doc[1:]) or bool(words & {"my", "our", "the"})
    says = any(t.dep_ in ("prep", "nummod") or t.tag_ in ("NNS", "CD") for t in doc)
    closed = words & (ADDRESSED | lexicon.NEGATIVE | {"thanks", "hey", "hello", "hi", "good"})
    return len(doc) > SHORTEST + 1 and known and says and not closed


def _named(doc: Doc) -> bool:
    """True for "Goalkeeper's Stannard.", which the parser takes for a possessive."""
    words = [t for t in doc if not t.is_punct]
    at = next((i for i, t in enumerate(words) if t.lower_ == "'s"), 0)
    return 0 < at < len(words) - 1 and all(t.pos_ == "PROPN" for t in words[at + 1 :])


def _to_you(verb: Token) -> bool:
    """True for a clause about the one who is spoken to."""
    subject = subject_of(verb)
    return (
        subject is not None and subject.lower_ in ADDRESSED and verb.lemma_ not in ("find", "reach")
    )


def _topic(doc: Doc, verb: Token, resolve: Resolver, before: list[str]) -> str:
    """The subject of a clause as a thing; the speaker, or the sentence's first noun, where it has
    none that can be named."""
    subject = subject_of(verb)
    named = None if subject is None else Phrases(resolve, before=list(before)).thing(subject)
    if named is not None and named.strip() and any(map(str.isalnum, named)):
        return named
    if any(t.lower_ in lexicon.SPEAKER for t in doc):
        return "me"
    return next((t.text for t in doc if t.pos_ in ("NOUN", "PROPN")), doc[0].text)


def written_out(doc: Doc, resolve: Resolver, before: list[str]) -> str:
    """The sentence with its pronouns for things of earlier sentences written out. A pronoun after a
    noun of its own sentence is left as it is."""
    text, last = "", 0
    for token in doc:
        if token.pos_ in ("NOUN", "PROPN") and token.dep_ in ("nsubj", "nsubjpass", "poss", "dobj"):
            break
        if token.tag_ not in ("PRP", "PRP$") or token.dep_ == "expl":
            continue
        word = token.lower_
        if word not in lexicon.PERSONAL | lexicon.NEUTER | lexicon.PLURAL or word in (
            "this",
            "that",
        ):
            continue
        name = resolve(word, tuple(before))
        if name is None or name == "me" or (word == "they" and token.whitespace_ == ""):
            continue  # "they've moved it": nobody in particular
        own = token.tag_ == "PRP$" or word in POSSESSIVE
        text += doc.text[last : token.idx] + shown(name) + ("'s" if own else "")
        last = token.idx + len(token)
        break
    whole = text + doc.text[last:]
    return whole[:1].upper() + whole[1:]


def shown(thing: str) -> str:
    """A thing in words: "me/sister/cat" is "my sister's cat"."""
    owner, *steps = thing.split("/")
    if not steps:
        return owner
    first = "my" if owner == "me" else f"{owner}'s"
    return f"{first} " + "'s ".join(steps)
