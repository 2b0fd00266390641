"""Clauses of a parsed sentence as facts: (subject, relation, object).

    copula       X's R is O; O is the R of X; X is a N; X is allergic to O; X is 8 m tall
    naming       X's R is called O; X has a R named O
    possession   X has O as its R; X has three Rs
    verb         X lives in O; O was founded by X; in X people speak O

A verb's relation is its third person with its preposition, "lives in", or the name under which
:mod:`prism.mind.perceive.lexicon` lists it. Clauses joined by "and", relative clauses and
participles are read for themselves, with the subject that the grammar shares with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prism.mind.perceive import lexicon
from prism.mind.perceive.copula import Copula
from prism.mind.perceive.grammar import (
    attached,
    conjuncts,
    is_time,
    phrase_of,
    prepositions,
    subject_of,
)
from prism.mind.perceive.guards import CLAUSES, asserted
from prism.mind.perceive.phrases import Phrases, Resolver, Triple

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

PLACED = frozenset({"at", "for"})


def facts(
    doc: Doc, resolve: Resolver, heard: Callable[[Triple], None] = lambda fact: None
) -> list[Triple]:
    """The facts that a sentence asserts, in its order; none twice.

    Args:
        doc: the parse.
        resolve: who is meant by a pronoun.
        heard: called with each fact at once.
    """
    reader = Clauses(Phrases(resolve))
    reader.describe(doc)
    found: dict[tuple[str, str, str], Triple] = {}
    for verb in doc:
        if verb.dep_ in CLAUSES and verb.pos_ in ("VERB", "AUX") and asserted(verb):
            for triple in [*reader.clause(verb), *reader.taken()]:
                key = (triple.subject.lower(), triple.relation.lower(), triple.object.lower())
                if all(key) and key[0] != key[2]:
                    found.setdefault(key, triple)
                    heard(triple)
    return list(found.values())


class Clauses:
    """Reading of the clauses of one sentence.

    Args:
        phrases: reads its noun phrases.
    """

    def __init__(self, phrases: Phrases) -> None:
        self.phrases = phrases
        self.copula = Copula(phrases)

    def taken(self) -> list[Triple]:
        """The facts that phrases have stated by the way since the last call."""
        named, self.phrases.named = self.phrases.named, []
        return named

    def describe(self, doc: Doc) -> None:
        """Learn who described things are: "the woman who runs Brontex is called Ludmila"."""
        if doc.text.startswith("As for ") and doc[1].n_rights:
            self.phrases.holder(next(doc[1].rights))
        for verb in doc:
            if verb.lemma_ != "be" and verb.lemma_ not in lexicon.NAMING or not asserted(verb):
                continue
            subject = subject_of(verb)
            values = [c for c in verb.children if c.dep_ in ("attr", "oprd", "acomp")]
            if subject is None or not values:
                continue
            for noun, value in ((subject, values[0]), (values[0], subject)):
                described = noun.lemma_ in lexicon.DESCRIBED or is_gapped(noun)
                if described and has_clause(noun) and value.text[:1].isupper():
                    self.phrases.alias[noun.i] = self.phrases.thing(value) or value.text

    def clause(self, verb: Token) -> Iterator[Triple]:
        """The facts of one clause."""
        yield from self._asides(verb)
        subject = subject_of(verb)
        if subject is None:
            return
        if (place := self._of_a_place(verb, subject)) is not None:
            yield from place
            return
        for holder in conjuncts(subject):
            if verb.lemma_ in ("be", "become", "remain"):
                yield from self.copula.read(verb, holder)
            elif verb.lemma_ in lexicon.NAMING:
                yield from self._naming(verb, holder)
            elif verb.lemma_ in lexicon.POSSESSING and self._has(verb):
                yield from self._possession(verb, holder)
            else:
                yield from self._verb(verb, holder)

    def _asides(self, verb: Token) -> Iterator[Triple]:
        """Appositions in a clause: "Maria, our accountant, ..."."""
        for child in verb.children:
            if child.dep_ not in ("nsubj", "nsubjpass", "dobj", "attr", "oprd", "prep", "agent"):
                continue
            for noun in [child, *(c for c in child.children if c.dep_ == "pobj")]:
                for aside in noun.children:
                    if aside.dep_ == "appos" and aside.pos_ == "NOUN" and noun.pos_ == "PROPN":
                        yield from self.copula.same(noun, aside)

    def _of_a_place(self, verb: Token, subject: Token) -> list[Triple] | None:
        """"In Utopia people speak Dutch": the place is what the fact is about."""
        if subject.lower_ not in lexicon.GENERIC:
            return None
        around = [*prepositions(verb), *prepositions(subject)]
        place = next((o for p, o in around if p.lower_ == "in" and not is_time(o)), None)
        objects = [c for c in verb.children if c.dep_ == "dobj"]
        if not objects and is_gapped(verb.head) and verb.dep_ == "relcl":
            objects = [verb.head]
        if place is None and any(c.lower_ == "where" for c in verb.children):
            place = verb.head if verb.dep_ == "relcl" else None
        if place is None and objects:
            nested = [o for p, o in prepositions(objects[0]) if p.lower_ == "in"]
            place = nested[0] if nested else None
        found = []
        for key, thing in [
            *((verb.lemma_, o) for o in objects),
            *((f"{verb.lemma_} {p.lower_}", o) for p, o in prepositions(verb) if o != place),
        ]:
            if place is not None and key in lexicon.OF_PLACES:
                holder = self.phrases.thing(place)
                for each in conjuncts(thing):
                    value = self.phrases.object(each)
                    if holder and value:
                        found.append(Triple(holder, lexicon.OF_PLACES[key], value))
        if found:
            return found
        resolvable = subject.lower_ in lexicon.PLURAL | lexicon.SPEAKER
        return None if resolvable else []

    def _naming(self, verb: Token, holder: Token) -> Iterator[Triple]:
        """"My sister's cat is called Momo", "we call our dog Rex"."""
        names = [c for c in verb.children if c.dep_ in ("oprd", "attr", "xcomp", "ccomp", "acomp")]
        named = next((c for c in verb.children if c.dep_ == "dobj"), None)
        passive = any(c.dep_ in ("auxpass", "nsubjpass") for c in verb.children)
        if passive or verb.dep_ == "acl":
            named, names = holder, names or [c for c in verb.children if c.dep_ == "dobj"]
        if named is None or not names:
            return
        value = phrase_of(names[0])
        relation = self.phrases.relation(named)
        if relation is not None:
            yield Triple(relation[0], relation[1], value, relation[2])
        elif verb.dep_ != "acl" and (thing := self.phrases.thing(named)):
            yield Triple(thing, "name", value)

    def _has(self, verb: Token) -> bool:
        return any(child.dep_ == "dobj" for child in verb.children)

    def _possession(self, verb: Token, holder: Token) -> Iterator[Triple]:
        """"Tom has a sister named Ann", "Gold has the symbol Au", "Oz has Nim as its capital"."""
        owner = self.phrases.holder(holder)
        if owner is None:
            return
        nouns = conjuncts(next(child for child in verb.children if child.dep_ == "dobj"))
        for noun in nouns:
            names = self.phrases.names(noun)
            role = self.phrases.role(noun, [c for c in noun.children if c.dep_ == "appos"])
            number = next((c for c in noun.children if c.dep_ == "nummod"), None)
            part = next((o for p, o in prepositions(noun) if p.lower_ == "of"), None)
            colour = next((c for c in noun.children if c.lower_ in lexicon.COLOURS), None)
            around = [*prepositions(verb), *prepositions(noun)]
            served = next((o for p, o in around if p.lower_ == "as"), None)
            if served is not None:
                yield Triple(owner, self.phrases.role(served, attached(served, "poss")).lower(),
                             self.phrases.object(noun) or noun.text)
            elif names:
                for name in names:
                    yield Triple(owner, role.lower(), name, len(names) > 1)
            elif number is not None and noun.tag_ == "NNS" and not is_time(noun):
                yield Triple(owner, f"number of {noun.lower_}", number.text)
            elif part is not None and (part.pos_ in ("NUM", "PROPN") or number_in(part)):
                yield Triple(owner, role.lower(), phrase_of(part))
            elif colour is not None and noun.lemma_ in ("eye", "hair", "fur"):
                yield Triple(owner, f"{noun.lemma_} color", colour.text)
            elif (value := self.phrases.object(noun)) and noun.pos_ != "PRON":
                yield Triple(owner, "has", value, True)

    def _verb(self, verb: Token, holder: Token) -> Iterator[Triple]:
        """A verb with its objects and prepositions."""
        owner = self.phrases.holder(holder)
        if owner is None:
            return
        particle = next((f" {c.lower_}" for c in verb.children if c.dep_ == "prt"), "")
        passive = any(c.dep_ in ("auxpass", "nsubjpass") for c in verb.children) or (
            verb.dep_ in ("acl", "advcl") and verb.tag_ == "VBN"
        )
        objects = [] if passive else [
            c for c in verb.children if c.dep_ in ("dobj", "attr", "oprd") and not is_time(c)
        ]
        preps = prepositions(verb) + [pair for o in objects for pair in prepositions(o)
                                      if pair[0].lower_ in PLACED]
        if verb.dep_ == "relcl" and verb.head.i in self.phrases.alias and not objects:
            objects, preps = self._gap(verb, preps)
        if objects and (moved := self._moved(verb, objects[0], preps)) is not None:
            yield from moved
            return
        for first in objects:
            several = conjuncts(first)
            for noun in several:
                value = self.phrases.object(noun)
                if verb.lemma_ == "turn" and noun.pos_ == "NUM":
                    yield Triple(owner, "age", noun.text)
                elif value is not None and not value.startswith(f"{owner}/"):
                    yield self._named(owner, f"{verb.lemma_}{particle}", value, len(several) > 1)
        if not objects:
            yield from self._changed(verb, holder, preps)
        yield from self._activities(verb, owner)
        for prep, noun in preps:
            yield from self._prepositional(verb, owner, prep, noun, bool(objects), passive)

    def _gap(
        self, verb: Token, preps: list[tuple[Token, Token]]
    ) -> tuple[list[Token], list[tuple[Token, Token]]]:
        """The antecedent in the place that its clause leaves open: "the firm that Ann works for"."""
        if any(child.dep_ in ("nsubj", "nsubjpass") and child.tag_ in ("WP", "WDT")
               for child in verb.children):
            return [], preps
        for child in verb.children:
            if child.dep_ == "prep" and not list(child.children):
                return [], [*preps, (child, verb.head)]
            if child.lower_ == "where":
                return [], [*preps, (child, verb.head)]
        return [verb.head], preps

    def _moved(
        self, verb: Token, noun: Token, preps: list[tuple[Token, Token]]
    ) -> list[Triple] | None:
        """"I keep my keys in the drawer", "Acme changed its name to Apex"; None for another verb."""
        if verb.lemma_ in lexicon.PUTTING and self.phrases.relation(noun):
            thing = self.phrases.thing(noun)
            places = [(p, o) for p, o in preps if not is_time(o)]
            return [Triple(thing, "located in", phrase_of(o)) for _, o in places[:1] if thing]
        relation = self.phrases.relation(noun)
        to = next((o for p, o in preps if p.lower_ in ("to", "with", "by")), None)
        if verb.lemma_ in lexicon.BECOMING and relation is not None and to is not None:
            value = self.phrases.object(to)
            return [Triple(relation[0], relation[1], value)] if value else []
        return None

    def _changed(
        self, verb: Token, holder: Token, preps: list[tuple[Token, Token]]
    ) -> Iterator[Triple]:
        """"Our printer's password has changed to inkjet7"."""
        relation = self.phrases.relation(holder)
        if verb.lemma_ not in ("change", "switch") or relation is None:
            return
        for prep, noun in preps:
            if prep.lower_ == "to" and (value := self.phrases.object(noun)):
                yield Triple(relation[0], relation[1], value)

    def _activities(self, verb: Token, owner: str) -> Iterator[Triple]:
        """"Tom enjoys painting", "Ann loves to swim"."""
        if lexicon.VERBS.get(verb.lemma_) not in ("likes", "dislikes"):
            return
        for child in verb.children:
            if child.dep_ in ("xcomp", "ccomp") and child.tag_ in ("VBG", "VB"):
                if not any(c.dep_ == "nsubj" for c in child.children):
                    words = [t for t in child.subtree if t.dep_ != "aux" and t.pos_ != "PUNCT"]
                    value = " ".join(t.text for t in words)
                    yield Triple(owner, lexicon.VERBS[verb.lemma_], value, True)

    def _prepositional(
        self, verb: Token, owner: str, prep: Token, noun: Token, transitive: bool, passive: bool
    ) -> Iterator[Triple]:
        """The fact of a verb's preposition: "lives in Porto", "was found by Nim"."""
        word = "in" if prep.lower_ == "where" else prep.lower_
        if word == "in" and verb.lemma_ == "work" and prep.lower_ == "where":
            word = "at"
        if word == "as":
            yield from self._served(verb, owner, noun)
            return
        if is_time(noun):
            if verb.lemma_ in lexicon.TIMED and word in ("in", "on", "at"):
                name = "birthday" if verb.lemma_ == "bear" else f"{head_form(verb, passive)} {word}"
                yield Triple(owner, name, phrase_of(noun))
            return
        if word in ("since", "during", "before", "after", "until", "like", "than", "per", "despite",
                    "without", "because", "besides", "including"):
            return
        if verb.lemma_ in ("change", "switch"):
            return
        if transitive and not (word in PLACED and noun.pos_ == "PROPN"):
            return
        if word == "from" and verb.lemma_ in ("move", "relocate", "switch", "change"):
            return
        several = conjuncts(noun)
        for each in several:
            value = self.phrases.object(each)
            if value is None:
                continue
            key = f"{verb.lemma_} {word}"
            if key in lexicon.VERBS and not transitive:
                yield self._named(owner, key, value, len(several) > 1)
            else:
                yield Triple(owner, f"{head_form(verb, passive)} {word}", value, len(several) > 1)

    def _served(self, verb: Token, owner: str, noun: Token) -> Iterator[Triple]:
        """"Ann works as a nurse", "Tom serves as mayor of Porto"."""
        relation = self.phrases.relation(noun)
        if relation is not None:
            yield Triple(relation[0], relation[1], owner)
        elif verb.lemma_ in ("work", "serve", "train", "employ", "act"):
            value = self.phrases.object(noun)
            if value is not None:
                yield Triple(owner, "profession", value)
            for prep, place in prepositions(noun):
                if prep.lower_ in ("at", "for") and (value := self.phrases.object(place)):
                    yield Triple(owner, "works for", value)

    def _named(self, owner: str, key: str, value: str, several: bool) -> Triple:
        """The fact of a verb, under the relation's one name and the right way round."""
        name = lexicon.VERBS.get(key)
        if name is None:
            head, _, rest = key.partition(" ")
            name = lexicon.third_person(head) + (f" {rest}" if rest else "")
        if name.startswith("<"):
            return Triple(value, name[1:], owner)
        return Triple(owner, name, value, several)


def has_clause(noun: Token) -> bool:
    """True for a noun that a relative clause describes."""
    return any(child.dep_ == "relcl" for child in noun.children)


def is_gapped(noun: Token) -> bool:
    """True for a noun whose relative clause has a subject of its own: "the firm Ann works for"."""
    return any(
        inner.dep_ == "nsubj" and inner.tag_ not in ("WP", "WDT")
        for child in noun.children if child.dep_ == "relcl"
        for inner in child.children
    )


def head_form(verb: Token, passive: bool) -> str:
    """A verb as its relation is spelt: "lives", or "made" of "is made of"."""
    return verb.lower_ if passive else lexicon.third_person(verb.lemma_)


def number_in(noun: Token) -> bool:
    """True for "five million people"."""
    return any(child.dep_ == "nummod" for child in noun.children)
