"""Sentences with "be": which side is the relation, and what the other side is to it.

my sister's cat is Momo              (me/sister, cat, Momo)
Momo is my sister's cat              the same
Tom is a dentist; Rex is a poodle    (Tom, profession, dentist), (Rex, is a, poodle)
Ann is 34 years old, allergic to nuts, Finnish
the keys are in the drawer           (keys, located in, drawer)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prism.mind.perceive import lexicon
from prism.mind.perceive.grammar import conjuncts, is_time, phrase_of, prepositions, proper
from prism.mind.perceive.phrases import Phrases, Triple

if TYPE_CHECKING:
    from spacy.tokens import Token

# Relations that a place or a time answers: "her office is in room 12", "my birthday is on 3 May".
PLACES = lexicon.words("places")
AGE = re.compile(r"\d{1,3}|[a-z]+(?:-[a-z]+)?")
PERSONS = lexicon.words("persons")
QUALITIES = lexicon.words("qualities")


class Copula:
    """Reading of clauses with "be", "become" and "remain", and of appositions.

    Args:
        phrases: reads the noun phrases of the sentence.
    """

    def __init__(self, phrases: Phrases) -> None:
        self.phrases = phrases

    def read(self, verb: Token, holder: Token) -> Iterator[Triple]:
        """The facts of a clause about ``holder``."""
        if holder.dep_ == "expl" or holder.lower_ == "there":
            return
        dangling = not any(c.dep_ in ("attr", "acomp", "oprd", "prep") for c in verb.children)
        for child in verb.children:
            lost = dangling and child.i > verb.i and child.pos_ == "PROPN"
            if child.dep_ == "attr" or (lost and child.dep_ in ("punct", "npadvmod", "dep")):
                several = conjuncts(child)
                for noun in several:
                    for fact in self.same(holder, noun):
                        many = fact.many or len(several) > 1
                        yield Triple(fact.subject, fact.relation, fact.object, many)
            elif child.dep_ in ("acomp", "oprd"):
                several = conjuncts(child)
                if all(each.lower_ in lexicon.COLOURS for each in several):
                    yield from self._coloured(holder, several)
                    continue
                for adjective in several:
                    yield from self._adjective(holder, adjective)
        for prep, noun in prepositions(verb):
            if noun.pos_ == "NUM" and prep.lower_ == "at" and holder.pos_ == "NOUN":
                if (thing := self.phrases.thing(holder)) is not None:  # "the meeting is at nine"
                    yield Triple(thing, "time", phrase_of(noun))
                continue
            if noun.pos_ == "NUM" and not is_time(noun):
                continue
            yield from self._place(holder, prep, noun, verb)

    def same(self, one: Token, other: Token) -> Iterator[Triple]:
        """The facts in "one is other", or "one, other,"."""
        left, right = self.phrases.relation(one, wide=True), self.phrases.relation(other, wide=True)
        named = proper(one) or one.pos_ == "PRON" or self.phrases.name(one) is not None
        if right is not None and (named or left is None):
            value = self.phrases.thing(one)
            if value is not None and not is_time(one):
                yield Triple(right[0], right[1], value, right[2])
            return
        a_kind = _indefinite(other) or (other.tag_ == "NNS" and other.text.islower())
        if left is not None and a_kind and _person(left[1]) and not self.phrases.names(other):
            yield from self._kind(one, other)  # "my husband is an engineer"
            return
        if left is not None and not (named and one.pos_ == "PROPN"):
            value = self.phrases.object(other)
            if value is not None:
                yield Triple(left[0], left[1], value, left[2] or one.tag_ == "NNS")
            return
        yield from self._there(one, other)
        yield from self._kind(one, other)

    def _there(self, one: Token, other: Token) -> Iterator[Triple]:
        """ "In Utopia, the currency is the florin"."""
        definite = any(c.dep_ == "det" and c.lower_ == "the" for c in one.children)
        if one.pos_ != "NOUN" or not definite or one.dep_ != "nsubj":
            return
        for prep, noun in prepositions(one.head):
            if prep.lower_ in ("in", "at") and noun.pos_ == "PROPN" and prep.i < one.i:
                value, holder = self.phrases.object(other), self.phrases.holder(noun)
                if value is not None and holder is not None:
                    yield Triple(holder, self.phrases.role(one, []).lower(), value)

    def _kind(self, one: Token, other: Token) -> Iterator[Triple]:
        """ "Tom is a dentist", "The wifi password is hunter2"."""
        holder = self.phrases.thing(one)
        if holder is None or one.lower_ in lexicon.NOBODY:
            return
        if holder == "me" and one.lower_ == "i" and other.pos_ == "PROPN" and not _article(other):
            yield Triple(holder, "name", phrase_of(other))  # "I'm Rasmus"
            return
        if other.lemma_ in ("year", "month", "week") and "old" in [t.lower_ for t in other.subtree]:
            yield from self._age(holder, other)
            return
        compound = [c for c in one.children if c.dep_ == "compound"]
        article = _article(other)
        if one.pos_ == "NOUN" and compound and article is None and one.tag_ == "NN":
            value = self.phrases.object(other)
            if value is not None:
                yield Triple(" ".join(c.text for c in compound), one.text, value)
            return
        if (
            other.lower_ != "one"
            and other.pos_ == "NUM"
            and AGE.fullmatch(phrase_of(other))
            and (holder == "me" or proper(one) or one.lower_ in lexicon.PERSONAL)
        ):
            yield Triple(holder, "age", phrase_of(other))
            return
        if other.pos_ != "NOUN" or (
            article not in ("a", "an")
            and one.tag_ not in ("NNS", "NNPS")
            and not _profession(other)
        ):
            return
        if any(c.dep_ in ("relcl", "amod") and c.lemma_ in EVALUATIVE for c in other.children):
            return
        value = self.phrases.object(other)
        if value is not None:
            name = "profession" if _profession(other) else "is a"
            yield Triple(holder, name, value, name == "is a")
            if name == "is a":
                for prep, noun in prepositions(other):
                    if prep.lower_ == "in" and noun.pos_ == "PROPN":
                        yield Triple(holder, "located in", phrase_of(noun))
            if name == "profession":
                for prep, noun in prepositions(other):
                    if prep.lower_ in ("at", "for") and noun.pos_ == "PROPN":
                        yield Triple(holder, "works for", self.phrases.object(noun) or noun.text)

    def _age(self, holder: str, other: Token) -> Iterator[Triple]:
        number = next((c for c in other.children if c.dep_ == "nummod"), None)
        if number is not None:
            yield Triple(holder, "age", number.text)

    def _adjective(self, holder: Token, adjective: Token) -> Iterator[Triple]:
        """ "Ann is allergic to nuts", "the tower is 90 m tall", "my car is red"."""
        relation = self.phrases.relation(holder, wide=True)
        word = adjective.lower_
        if relation is not None and _names_a_value(relation[1], adjective):
            yield Triple(relation[0], relation[1], phrase_of(adjective))
            return
        compound = [c for c in holder.children if c.dep_ == "compound"]
        if compound and holder.tag_ == "NN" and _coined(adjective):
            yield Triple(" ".join(c.text for c in compound), holder.text, phrase_of(adjective))
            return
        thing = self.phrases.holder(holder)
        if thing is None:
            return
        amount = next((c for c in adjective.children if c.dep_ == "npadvmod"), None)
        if word in lexicon.MEASURES and amount is not None:
            number = next((c for c in amount.children if c.dep_ == "nummod"), None)
            if word == "old" and number is not None:
                yield Triple(thing, "age", number.text)
            elif number is not None:
                yield Triple(thing, lexicon.MEASURES[word], phrase_of(amount))
        elif adjective.pos_ == "NUM" and holder.pos_ in ("PROPN", "PRON"):
            yield Triple(thing, "age", adjective.text)
        elif adjective.ent_type_ == "NORP" or (adjective.tag_ == "JJ" and adjective.text.istitle()):
            yield Triple(thing, "nationality", adjective.text)
        else:
            yield from self._complement(thing, adjective)

    def _coloured(self, holder: Token, colours: list[Token]) -> Iterator[Triple]:
        """ "She is black and white", "my favourite colour is blue"."""
        value = colours[0].doc[colours[0].i : colours[-1].i + 1].text
        relation = self.phrases.relation(holder, wide=True)
        if relation is not None and _names_a_value(relation[1], colours[0]):
            yield Triple(relation[0], relation[1], value)
        elif (thing := self.phrases.holder(holder)) is not None:
            yield Triple(thing, "color", value)

    def _complement(self, thing: str, adjective: Token) -> Iterator[Triple]:
        for prep, noun in prepositions(adjective):
            if is_time(noun) or noun.tag_ == "VBG" or prep.lower_ not in ("to", "of", "in", "with"):
                continue
            if adjective.lemma_ in EVALUATIVE:
                continue
            several = conjuncts(noun)
            for each in several:
                value = self.phrases.object(each)
                key = f"{adjective.lower_} {prep.lower_}"
                name = lexicon.VERBS.get(key, "spouse" if key == "married to" else key)
                if value is not None:
                    yield Triple(thing, name, value, len(several) > 1)

    def _place(self, holder: Token, prep: Token, noun: Token, verb: Token) -> Iterator[Triple]:
        """ "The keys are in the drawer", "her birthday is on 3 May", "Tom is from Porto"."""
        if any(child.dep_ in ("attr", "acomp") for child in verb.children):
            return
        word, relation = prep.lower_, self.phrases.relation(holder)
        if relation is not None and (is_time(noun) or relation[1].split()[-1] in PLACES):
            if word in ("in", "on", "at"):
                yield Triple(relation[0], relation[1], phrase_of(noun))
            return
        thing, value = self.phrases.holder(holder), self.phrases.object(noun)
        if thing is None or value is None:
            return
        if is_time(noun):
            if holder.pos_ == "NOUN" and word in ("in", "on", "at"):
                yield Triple(thing, "date" if word != "at" else "time", value)
        elif word in ("in", "at", "on", "from", "by", "under", "behind", "inside", "near"):
            marked = noun.pos_ == "PROPN" or any(
                c.dep_ in ("det", "poss", "nummod") for c in noun.children
            )
            if not marked or (word == "by" and noun.pos_ != "PROPN"):
                return  # "in third grade", "on fire": a state, not a place
            if word == "from" or holder.pos_ not in ("PRON",) or noun.pos_ == "PROPN":
                names = {"by": "author", "from": "comes from"}
                yield Triple(thing, names.get(word, "located in"), value)


def _names_a_value(relation: str, adjective: Token) -> bool:
    """True where a word after "is" that the parser takes for an adjective is a value: a name, a
    number, or any word after a relation that asks for one ("his hobby is falconry")."""
    last = relation.split()[-1]
    if last in QUALITIES or relation.startswith(("favourite", "favorite")):
        return True
    word = adjective.text
    odd = any(map(str.isdigit, word)) or not word.replace("-", "").isalpha()
    named = adjective.tag_.startswith("NN") or word[:1].isupper()
    return (
        (odd or named)
        and not _person(relation)
        and not any(child.dep_ in ("prep", "npadvmod") for child in adjective.children)
    )


def _person(relation: str) -> bool:
    """True for a relation whose object is a person: "husband", "boss"."""
    return relation.split()[-1].removesuffix("-in-law") in PERSONS


def _indefinite(noun: Token) -> bool:
    return any(child.dep_ == "det" and child.lower_ in ("a", "an") for child in noun.children)


EVALUATIVE = lexicon.words("evaluative")


def _profession(noun: Token) -> bool:
    """True for a noun that names what a person does."""
    lemma = noun.lemma_.lower()
    if lemma in lexicon.WORKERS:
        return True
    return (
        lemma not in lexicon.NO_PROFESSION
        and len(lemma) > 4
        and (lemma.endswith(lexicon.PROFESSIONS))
    )


def _article(noun: Token) -> str | None:
    """The article or demonstrative of a noun."""
    return next((c.lower_ for c in noun.children if c.dep_ == "det"), None)


def _coined(word: Token) -> bool:
    """True for what is no word of English, as passwords and codes are: "tulip12"."""
    return any(map(str.isdigit, word.text)) or (word.is_oov and not word.text.islower())
