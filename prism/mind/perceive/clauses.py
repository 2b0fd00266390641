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
from dataclasses import replace
from typing import TYPE_CHECKING

from prism.mind.perceive import lexicon
from prism.mind.perceive.copula import Copula
from prism.mind.perceive.grammar import (
    attached,
    conjuncts,
    generic,
    has_clause,
    is_gapped,
    is_time,
    number_in,
    phrase_of,
    prepositions,
    subject_of,
)
from prism.mind.perceive.guards import CLAUSES, OPINION, asserted, ended
from prism.mind.perceive.phrases import Phrases, Resolver, Triple
from prism.mind.perceive.verbs import Verbs

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

LEAVING = lexicon.words("leaving")
POSSESSIVE = frozenset({"his", "her", "its", "their"})


def facts(
    doc: Doc,
    resolve: Resolver,
    heard: Callable[[Triple], None] = lambda fact: None,
    before: list[str] | None = None,
) -> list[Triple]:
    """The facts that a sentence asserts, in its order; none twice.

    Args:
        doc: the parse.
        resolve: who is meant by a pronoun.
        heard: called with each fact at once.
        before: what the turn has been about; what this sentence is about is added to it.
    """
    reader = Clauses(Phrases(resolve, before=[] if before is None else before))
    reader.describe(doc)
    found: dict[tuple[str, str, str], Triple] = {}
    for triple in reader.asides(doc):
        found.setdefault(
            (triple.subject.lower(), triple.relation.lower(), triple.object.lower()), triple
        )
        heard(triple)
    for verb in doc:
        if verb.dep_ not in CLAUSES or verb.pos_ not in ("VERB", "AUX"):
            continue
        if not asserted(verb):
            subject = subject_of(verb)
            if subject is not None and subject.pos_ == "PROPN":
                reader.phrases.before.append(phrase_of(subject))  # "Ann has left; she ..."
        else:
            for triple in [*reader.clause(verb), *reader.taken()]:
                key = (triple.subject.lower(), triple.relation.lower(), triple.object.lower())
                if all(key) and key[0] != key[2]:
                    found.setdefault(key, triple)
                    heard(triple)
    opinion = OPINION.search(doc.text) is not None
    kept = [_owned(triple) for triple in found.values() if not _open(triple, opinion)]
    return list(dict.fromkeys(kept))


def over(doc: Doc, resolve: Resolver, before: list[str]) -> list[Triple]:
    """The facts of which a sentence says that they hold no more. A role without a thing that it
    belongs to ("is not the captain any more") is one of nobody named, with an empty subject; what
    somebody has left is the object of ``lexicon.LEFT``."""
    reader, found = Clauses(Phrases(resolve, before=list(before))), []
    for verb in doc:
        if verb.dep_ not in CLAUSES or verb.pos_ not in ("VERB", "AUX"):
            continue
        if ended(verb):
            found += [_owned(triple) for triple in reader.clause(verb)]
            found += reader.roles(verb)
        elif verb.lemma_ in LEAVING and asserted(verb, events=True):
            found += reader.left(verb)
    return [t for t in dict.fromkeys(found) if t.object and t.relation and not _open(t, False)]


def _open(triple: Triple, opinion: bool) -> bool:
    """True for what is no fact: whose it is stands in no word before ("her nephew"), or a kind that
    somebody's taste gives ("Brutalism is an eyesore")."""
    first = {side.split(" ")[0].lower() for side in (triple.subject, triple.object)}
    return bool(first & POSSESSIVE) or (opinion and triple.relation == "is a")


def _owned(triple: Triple) -> Triple:
    """A fact whose subject is still written as "my tutor" as one of the path ``me/tutor``; a name
    of such a thing as a fact of its owner: "my boss has the name Greta" is (me, boss, Greta)."""
    first, _, rest = triple.subject.partition(" ")
    subject = f"me/{rest.lower()}" if first.lower() in ("my", "our") and rest else triple.subject
    owner, _, noun = subject.rpartition("/")
    if owner and triple.relation == "name":
        return replace(triple, subject=owner, relation=noun)
    return replace(triple, subject=subject)


class Clauses:
    """Reading of the clauses of one sentence.

    Args:
        phrases: reads its noun phrases.
    """

    def __init__(self, phrases: Phrases) -> None:
        self.phrases = phrases
        self.copula = Copula(phrases)
        self.verbs = Verbs(phrases)

    def taken(self) -> list[Triple]:
        """The facts that phrases have stated by the way since the last call."""
        named, self.phrases.named = self.phrases.named, []
        return named

    def describe(self, doc: Doc) -> None:
        """Learn who described things are: "the woman who runs Brontex is called Ludmila"."""
        if doc.text.startswith("As for ") and doc[1].n_rights:
            self.phrases.holder(next(doc[1].rights))
        for verb in doc:
            if (verb.lemma_ != "be" and verb.lemma_ not in lexicon.NAMING) or not asserted(verb):
                continue
            subject = subject_of(verb)
            values = [c for c in verb.children if c.dep_ in ("attr", "oprd", "acomp")]
            if subject is None or not values:
                continue
            for noun, value in ((subject, values[0]), (values[0], subject)):
                described = noun.lemma_ in lexicon.DESCRIBED or is_gapped(noun)
                if described and has_clause(noun) and value.text[:1].isupper():
                    self.phrases.alias[noun.i] = self.phrases.thing(value) or value.text

    def asides(self, doc: Doc) -> Iterator[Triple]:
        """Roles beside names, taken for granted whatever is asserted: "you can reach our landlord,
        Mr Pettigrew, at ..."; the role means the name from then on."""
        for noun in doc:
            for aside in noun.children:
                if aside.dep_ != "appos" or aside.pos_ not in ("PROPN", "NOUN"):
                    continue
                role, name = (noun, aside) if aside.pos_ == "PROPN" else (aside, noun)
                if name.pos_ != "PROPN" or not any(c.dep_ == "poss" for c in role.children):
                    continue
                relation = self.phrases.relation(role)
                if relation is not None:
                    self.phrases.alias[role.i] = phrase_of(name)
                    yield Triple(relation[0], relation[1], phrase_of(name), relation[2])

    def roles(self, verb: Token) -> Iterator[Triple]:
        """ "Ann is the captain" as a fact about nobody named: ("", captain, Ann)."""
        subject = subject_of(verb)
        values = [c for c in verb.children if c.dep_ == "attr"]
        if verb.lemma_ != "be" or subject is None or not values:
            return
        for role, one in ((values[0], subject), (subject, values[0])):
            own = self.phrases.relation(role, wide=True)
            name = None if own or role.pos_ != "NOUN" else self.phrases.thing(one)
            if name is not None and not any(c.lower_ in ("a", "an") for c in role.children):
                yield Triple("", self.phrases.role(role, attached(role, "det")).lower(), name)

    def left(self, verb: Token) -> Iterator[Triple]:
        """ "Tom has left Acme"."""
        subject = subject_of(verb)
        holder = None if subject is None else self.phrases.holder(subject)
        for noun in (c for c in verb.children if c.dep_ == "dobj"):
            for each in conjuncts(noun):
                value = self.phrases.object(each) if each.pos_ == "PROPN" else None
                if holder is not None and value:
                    yield Triple(holder, lexicon.LEFT, value)

    def clause(self, verb: Token) -> Iterator[Triple]:
        """The facts of one clause."""
        yield from self._asides(verb)
        subject = subject_of(verb)
        if subject is None and verb.lemma_ in lexicon.NAMING:
            yield from self._naming(verb, verb)
            return
        called = next((c for c in verb.children if c.dep_ == "dobj"), None)
        if verb.lemma_ in lexicon.NAMING and called is not None and called.lower_ in ("me", "us"):
            yield from self._naming(verb, called)  # "everyone calls me Biscuit"
            return
        unnamed = subject is not None and self.phrases.name(subject) is None
        if (
            subject is None
            or (unnamed and generic(subject))
            or any(c.dep_ == "expl" for c in verb.children)
        ):
            return
        if verb.dep_ == "acl" and verb.head.pos_ != "PROPN":
            return  # "the currency used in Utopia" tells which one, and states nothing
        if (place := self._of_a_place(verb, subject)) is not None:
            yield from place
            return
        for holder in conjuncts(subject):
            if verb.lemma_ in ("be", "become", "remain"):
                yield from self.copula.read(verb, holder)
            elif verb.lemma_ in lexicon.NAMING or self._goes_by(verb):
                yield from self._naming(verb, holder)
            elif verb.lemma_ in lexicon.POSSESSING and self._has(verb):
                yield from self._possession(verb, holder)
            else:
                yield from self.verbs.read(verb, holder)

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
        """ "In Utopia people speak Dutch": the place is what the fact is about."""
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
        """ "My sister's cat is called Momo", "we call our dog Rex"."""
        names = [c for c in verb.children if c.dep_ in ("oprd", "attr", "xcomp", "ccomp", "acomp")]
        named = next((c for c in verb.children if c.dep_ == "dobj"), None)
        passive = any(c.dep_ in ("auxpass", "nsubjpass") for c in verb.children)
        names += [c for p, c in prepositions(verb) if verb.lemma_ == "go" and p.lower_ == "by"]
        passive = passive or verb.lemma_ == "go"
        if passive or verb.dep_ == "acl":
            named, names = holder, names or [c for c in verb.children if c.dep_ == "dobj"]
        if named is None or not names:
            return
        inner = [o for p, o in prepositions(names[0]) if names[0].lemma_ == "name"]
        value = phrase_of(inner[0] if inner else names[0])
        relation = self.phrases.relation(named)
        if relation is not None:
            yield Triple(relation[0], relation[1], value, relation[2])
        elif verb.dep_ != "acl" and (thing := self.phrases.thing(named)):
            yield Triple(thing, "name", value)

    def _goes_by(self, verb: Token) -> bool:
        """True for "goes by the name of" and "goes by Al", not for "goes by bus"."""
        return verb.lemma_ == "go" and any(
            p.lower_ == "by" and (o.pos_ == "PROPN" or o.lemma_ in ("name", "nickname"))
            for p, o in prepositions(verb)
        )

    def _has(self, verb: Token) -> bool:
        return any(child.dep_ == "dobj" for child in verb.children)

    def _possession(self, verb: Token, holder: Token) -> Iterator[Triple]:
        """ "Tom has a sister named Ann", "Gold has the symbol Au", "Oz has Nim as its capital"."""
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
            seat = next((o for p, o in around if p.lower_ in ("in", "at", "on")), None)
            own = self.phrases.relation(noun)
            if own is not None and own[0] == owner:
                if seat is not None and not names:  # "has its headquarters in Gdansk"
                    yield Triple(owner, own[1], phrase_of(seat))
            elif served is not None:
                yield Triple(
                    owner,
                    self.phrases.role(served, attached(served, "poss")).lower(),
                    self.phrases.object(noun) or noun.text,
                )
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
                kept = "owns" if verb.lemma_ in ("own", "possess") else "has"
                yield Triple(owner, kept, value, True)
