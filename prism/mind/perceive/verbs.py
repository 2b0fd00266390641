"""Verbs with their objects and prepositions as facts: "lives in Porto", "was founded by Nim".

A verb's relation is its third person with its preposition, or the name under which
:mod:`prism.mind.perceive.lexicon` lists it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prism.mind.perceive import lexicon
from prism.mind.perceive.grammar import conjuncts, is_time, phrase_of, prepositions
from prism.mind.perceive.phrases import Phrases, Triple

if TYPE_CHECKING:
    from spacy.tokens import Token

PLACED = frozenset({"at", "for"})
LEARNING = frozenset({"study", "teach", "learn", "read"})
UNTAKEN = lexicon.words("untaken")
UNSTATED = lexicon.words("unstated")
APPOINTING = frozenset(
    {"elect", "appoint", "name", "make", "choose", "have", "hire", "pick", "use"}
)
SITES = lexicon.words("places")


class Verbs:
    """Reading of clauses whose verb is none of "be", naming and having.

    Args:
        phrases: reads the noun phrases of the sentence.
    """

    def __init__(self, phrases: Phrases) -> None:
        self.phrases = phrases

    def read(self, verb: Token, holder: Token) -> Iterator[Triple]:
        """A verb with its objects and prepositions."""
        owner = self.phrases.holder(holder)
        if owner is None or verb.lemma_ in UNSTATED:
            return
        particle = next((f" {c.lower_}" for c in verb.children if c.dep_ == "prt"), "")
        passive = any(c.dep_ in ("auxpass", "nsubjpass") for c in verb.children) or (
            verb.dep_ in ("acl", "advcl") and verb.tag_ == "VBN"
        )
        objects = (
            []
            if passive
            else [
                c
                for c in verb.children
                if (
                    c.dep_ in ("dobj", "attr", "oprd")
                    or (c.dep_ == "acomp" and c.tag_[:2] == "NN")
                    or (c.dep_ == "npadvmod" and c.pos_ == "PROPN" and c.i > verb.i)
                )
                and (not is_time(c) or verb.lemma_ == "turn")
            ]
        )
        preps = prepositions(verb) + [
            pair
            for o in objects
            for pair in prepositions(o)
            if pair[0].lower_ in PLACED or pair[0].lower_ == "as"
        ]
        if verb.dep_ == "relcl" and verb.head.i in self.phrases.alias and not objects:
            objects, preps = self._gap(verb, preps)
        if objects and (moved := self._moved(verb, objects[0], preps)) is not None:
            yield from moved
            return
        if appointed := list(self._appointed(verb, owner, objects, preps)):
            yield from appointed
            return
        for first in objects:
            several = conjuncts(first)
            for noun in several:
                value = self.phrases.object(noun)
                if verb.lemma_ == "turn":
                    if noun.pos_ == "NUM" and verb.tag_ in ("VBD", "VBN"):
                        yield Triple(owner, "age", noun.text)
                elif value is not None and "/" in value and verb.lemma_ not in lexicon.VERBS:
                    yield from self._dated(verb, noun, preps)
                elif verb.lemma_ in ("live", "work", "go") or (
                    verb.lemma_ == "start" and noun.pos_ != "PROPN"
                ):
                    continue
                elif value is not None and not value.startswith(f"{owner}/"):
                    yield self._named(owner, f"{verb.lemma_}{particle}", value, len(several) > 1)
        if not objects and (changed := list(self._changed(verb, holder, preps))):
            yield from changed
            return
        yield from self._activities(verb, owner)
        for prep, noun in preps:
            yield from self._prepositional(verb, owner, prep, noun, bool(objects), passive)

    def _appointed(
        self, verb: Token, owner: str, objects: list[Token], preps: list[tuple[Token, Token]]
    ) -> Iterator[Triple]:
        """ "Ann was elected mayor of Porto", "Porto elected Ann as its mayor"."""
        held = [c for c in verb.children if c.dep_ == "oprd"]
        named = owner if not objects else self.phrases.object(objects[0])
        served = [o for p, o in preps if p.lower_ == "as" and objects]
        if objects and not held and not served and verb.lemma_ in ("elect", "appoint", "name"):
            names = [c for c in objects[0].children if c.dep_ == "compound" and c.pos_ == "PROPN"]
            if names and objects[0].pos_ == "NOUN":  # "Porto elected Ann Lee mayor"
                name = phrase_of(objects[0]).removesuffix(objects[0].text).strip()
                yield Triple(owner, objects[0].text, name)
        for role in [*held, *served] if verb.lemma_ in APPOINTING else []:
            relation = self.phrases.relation(role)
            if relation is not None and named is not None:
                yield Triple(relation[0], relation[1], named)

    def _gap(
        self, verb: Token, preps: list[tuple[Token, Token]]
    ) -> tuple[list[Token], list[tuple[Token, Token]]]:
        """The antecedent in the place that its clause leaves open: "the firm Ann works for"."""
        if any(
            child.dep_ in ("nsubj", "nsubjpass") and child.tag_ in ("WP", "WDT")
            for child in verb.children
        ):
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
        """ "I keep my keys in the drawer", "Acme changed its name to Apex"; None otherwise."""
        places = [(p, o) for p, o in preps if not is_time(o)]
        definite = any(
            c.dep_ in ("det", "poss") and c.lower_ not in ("a", "an") for c in noun.children
        )
        if verb.lemma_ in lexicon.PUTTING and definite and places:
            thing = self.phrases.thing(noun)
            return [Triple(thing, "located in", phrase_of(o)) for _, o in places[:1] if thing]
        relation = self.phrases.relation(noun)
        to = next((o for p, o in preps if p.lower_ in ("to", "with", "by")), None)
        if verb.lemma_ not in lexicon.BECOMING or not definite or verb.lemma_ == "turn":
            return None
        kinds = [c.text for c in noun.children if c.dep_ == "compound"]
        if relation is None and kinds and noun.pos_ == "NOUN":  # "the wifi password"
            relation = (" ".join(kinds), noun.text, False)
        value = None if to is None else self.phrases.object(to)
        if relation is None and value is not None:
            return None
        return [Triple(relation[0], relation[1], value)] if relation and value else []

    def _changed(
        self, verb: Token, holder: Token, preps: list[tuple[Token, Token]]
    ) -> Iterator[Triple]:
        """ "Our printer's password has changed to inkjet7"."""
        relation = self.phrases.relation(holder)
        if relation is None or not (
            verb.lemma_ in ("change", "switch")
            or (verb.lemma_ in ("move", "relocate") and relation[1].split()[-1] in SITES)
        ):
            return
        for prep, noun in preps:
            if prep.lower_ == "to" and (value := self.phrases.object(noun)):
                yield Triple(relation[0], relation[1], value)

    def _dated(
        self, verb: Token, noun: Token, preps: list[tuple[Token, Token]]
    ) -> Iterator[Triple]:
        """ "We celebrate Leo's birthday on 2 August"; other deeds to somebody's things state no
        relation of their own."""
        relation = self.phrases.relation(noun)
        for _, time in preps:
            if verb.lemma_ in ("celebrate", "hold", "have") and relation and is_time(time):
                yield Triple(relation[0], relation[1], phrase_of(time))

    def _activities(self, verb: Token, owner: str) -> Iterator[Triple]:
        """ "Tom enjoys painting", "Ann loves to swim"."""
        if lexicon.VERBS.get(verb.lemma_) not in ("likes", "dislikes"):
            return
        for child in verb.children:
            doing = child.dep_ in ("xcomp", "ccomp") and child.tag_ in ("VBG", "VB")
            if doing and not any(c.dep_ == "nsubj" for c in child.children):
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
        if word == "as" and transitive:
            return
        if word == "as":
            yield from self._served(verb, owner, noun)
            return
        if is_time(noun):
            if transitive:
                return
            if verb.lemma_ in lexicon.TIMED and word in ("in", "on", "at"):
                name = "birthday" if verb.lemma_ == "bear" else f"{head_form(verb, passive)} {word}"
                yield Triple(owner, name, phrase_of(noun))
            return
        if word in UNTAKEN:
            return
        if verb.lemma_ in ("change", "switch"):
            return
        learnt = word == "in" and verb.lemma_ in LEARNING
        if transitive and not ((word in PLACED or learnt) and noun.pos_ == "PROPN"):
            return
        if word == "from" and verb.lemma_ in ("move", "relocate", "switch", "change"):
            return
        several = conjuncts(noun)
        for each in several:
            value = self.phrases.object(each)
            if value is None or value.startswith(f"{owner}/"):
                continue
            if passive and word == "in" and verb.lemma_ in lexicon.OF_PLACES:
                yield Triple(value, lexicon.OF_PLACES[verb.lemma_], owner)  # "is spoken in"
                continue
            particle = next((f" {c.lower_}" for c in verb.children if c.dep_ == "prt"), "")
            key = f"{verb.lemma_}{particle} {word}"
            if key in lexicon.VERBS and not transitive:
                yield self._named(owner, key, value, len(several) > 1)
            else:
                name = f"{head_form(verb, passive)}{particle} {word}"
                yield Triple(owner, name, value, len(several) > 1)

    def _served(self, verb: Token, owner: str, noun: Token) -> Iterator[Triple]:
        """ "Ann works as a nurse", "Tom serves as mayor of Porto"."""
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
        if name == "owner" and not (value[:1].isupper() or value.startswith("me")):
            name = "belongs to"  # to a class, not to a person
        if name.startswith("<?") and not value[:1].isupper():  # of names alone: "runs a bakery"
            name = lexicon.third_person(key.split()[0])
        if name.startswith("<"):
            return Triple(value, name.lstrip("<?"), owner)
        return Triple(owner, name, value, several)


def head_form(verb: Token, passive: bool) -> str:
    """A verb as its relation is spelt: "lives", or "made" of "is made of"."""
    return verb.lower_ if passive else lexicon.third_person(verb.lemma_)
