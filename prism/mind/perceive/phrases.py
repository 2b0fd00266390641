"""Noun phrases of a parse as the things that facts are about.

I, my                      me
my sister's cat            me/sister/cat       a relation of a thing, walked from its owner
the capital of Freedonia   Freedonia/capital
my brother Tom             Tom                 and the fact (me, brother, Tom)
he, its, they              by working memory   None where it knows nobody who fits
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prism.mind.perceive import lexicon
from prism.mind.perceive.span import text

if TYPE_CHECKING:
    from spacy.tokens import Token

PARTS = lexicon.words("parts")
PRAISE = lexicon.words("praise")
# who is meant by a pronoun, given the things that its sentence has named before it
Resolver = Callable[[str, tuple[str, ...]], str | None]


@dataclass(frozen=True)
class Triple:
    """A fact as a sentence gives it.

    Attributes:
        subject: a name, or a path ``owner/relation`` of things that have none here.
        many: the words say that there may be others beside it ("a sister", "two of them").
    """

    subject: str
    relation: str
    object: str
    many: bool = False


@dataclass
class Phrases:
    """Reading of the noun phrases of one sentence.

    Attributes:
        resolve: who is meant by a pronoun, in lower case; None = nobody is known.
        named: facts that phrases state by the way ("my brother Tom").
        before: what the sentence has been about, in order.
        alias: names of described things, by the place of their noun ("the woman who ... is Ann").
    """

    resolve: Resolver
    named: list[Triple] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    alias: dict[int, str] = field(default_factory=dict)

    def holder(self, noun: Token) -> str | None:
        """The thing that a clause is about; pronouns after it may mean it."""
        thing = self.thing(noun)
        if thing is not None:
            self.before += [thing] if "/" not in thing else [thing.rpartition("/")[0], thing]
        return thing

    def thing(self, noun: Token) -> str | None:
        """The thing that a noun phrase means; None where it cannot be said."""
        word = noun.lower_
        if noun.i in self.alias:
            return self.alias[noun.i]
        if word in lexicon.SPEAKER:
            return "me"
        if word in lexicon.PERSONAL | lexicon.NEUTER | lexicon.PLURAL and noun.pos_ in (
            "PRON",
            "DET",
        ):
            return self.resolve(word, tuple(self.before))
        if noun.tag_ in ("WP", "WDT", "WP$"):
            antecedent = antecedent_of(noun)
            return None if antecedent is None else self.thing(antecedent)
        if (
            word in lexicon.NOBODY
            or noun.pos_ in ("PRON", "DET", "ADV")
            or not any(map(str.isalnum, word))
        ):
            return None
        relation, name = self.relation(noun), self.name(noun)
        if relation is None:
            return name or text(noun, places=True)
        owner, what, many = relation
        if name is None:
            return f"{owner}/{what}"
        self.named.append(Triple(owner, what, name, many))
        return name

    def names(self, noun: Token) -> list[str]:
        """The proper names of several: "two brothers, Sven and Olaf"."""
        asides = [c for c in noun.children if c.dep_ == "appos" and c.pos_ == "PROPN"]
        several = [n for aside in asides for n in (aside, *aside.conjuncts) if n.i > noun.i]
        if len(several) > 1:
            return [text(each) for each in several]
        one = self.name(noun)
        return [] if one is None else [one]

    def name(self, noun: Token) -> str | None:
        """The proper name that a phrase gives its common noun: "Tom" of "my brother Tom"."""
        if noun.pos_ == "PROPN":
            common = _titles(noun)
            if common and _owner(noun) is not None:
                return text(noun, without=[*common, _owner(noun)])
            return None
        if (before := _named_before(noun)) is not None:
            return text(before)
        if (after := _named_after(noun)) is not None:
            return after
        of = [c for p in noun.children if p.lower_ == "of" for c in p.children if c.pos_ == "PROPN"]
        for child in [*noun.children, *(c for o in of for c in o.children)]:
            if child.dep_ == "appos" and child.pos_ == "PROPN" and child.i > noun.i:
                return text(child)
            if child.dep_ == "acl" and child.lemma_ in lexicon.NAMING:
                for name in child.children:
                    if name.dep_ in ("oprd", "dobj", "attr", "xcomp", "ccomp"):
                        return text(name)
        return None

    def relation(self, noun: Token, wide: bool = False) -> tuple[str, str, bool] | None:
        """Owner, relation and whether there may be others, of a noun that names a role; or None.

        Args:
            wide: other prepositions than "of" relate too, "the password for the printer"; so they
                do beside "is".
        """
        poss = _owner(noun)
        if poss is not None:
            owner = self.thing(poss)
            titles = _titles(noun)
            if noun.pos_ == "PROPN" and not titles:
                words = text(noun, without=[poss]) if poss.lower_ in lexicon.SPEAKER else None
            else:
                words = " ".join(t.text for t in titles) if titles else self.role(noun, [poss])
            if owner is not None and "/" in owner and words == "name":  # "my wife's name is Helga"
                owner, _, words = owner.rpartition("/")
            return None if owner is None or not words else (owner, words.lower(), False)
        if noun.pos_ == "PROPN" and not _of(noun):
            return None
        shared = [c for other in noun.conjuncts for c in other.children if c.dep_ == "prep"]
        for prep in [*noun.children, *shared]:  # "the founder and CEO of Acme"
            if prep.dep_ == "prep" and (found := self._belonging(noun, prep, wide)):
                return found
            if wide and prep.dep_ in ("acl", "relcl") and _definite(noun):
                for inner in prep.children:
                    if inner.dep_ == "prep" and (found := self._belonging(noun, inner, wide)):
                        return found
        return None

    def _belonging(self, noun: Token, prep: Token, wide: bool) -> tuple[str, str, bool] | None:
        """The relation in "the capital of Freedonia", "a friend of mine", "the mayor in Porto"."""
        pobj = next((child for child in prep.children if child.dep_ == "pobj"), None)
        if pobj is None or noun.lower_ in lexicon.NOBODY:
            return None
        if prep.lower_ != "of" and noun.lemma_ in lexicon.DESCRIBED:
            return None  # "the man behind Acme"
        if any(
            c.dep_ == "amod" and (c.lower_ in PRAISE or any(g.lower_ in PRAISE for g in c.children))
            for c in noun.children
        ):
            return None  # an opinion
        word = pobj.lower_
        if word in ("mine", "ours"):
            return "me", self.role(noun, [prep]).lower(), not _definite(noun)
        known = pobj.pos_ == "PROPN" or word in lexicon.SPEAKER | lexicon.NEUTER | lexicon.PERSONAL
        known = known or _owner(pobj) is not None or _definite(pobj, explicit=True)
        bare = prep.lower_ == "of" and pobj.tag_ == "NN" and _definite(noun, True)
        if not (known or bare) or pobj.lemma_ in lexicon.SPANS:
            return None
        if prep.lower_ != "of" and not (wide and _definite(noun, True) and known):
            return None
        nested = [c for p in pobj.children if p.lower_ == "of" for c in p.children]
        if bare and nested and nested[0].pos_ == "PROPN":  # "the seat of government of Utopia"
            owner = self.thing(nested[0])
            role = f"{self.role(noun, [prep])} of {pobj.text}".lower()
            return None if owner is None else (owner, role, False)
        if noun.pos_ == "PROPN" and not noun.text.isupper():  # "the University of Leeds" is a name
            return None
        owner = self.thing(pobj)
        if owner is not None and "/" in owner and noun.lower_ == "name":
            above, _, last = owner.rpartition("/")  # "the name of my goldfish"
            return above, last, False
        return (
            None if owner is None else (owner, self.role(noun, [prep]).lower(), _indefinite(noun))
        )

    def role(self, noun: Token, without: list[Token]) -> str:
        """The words of a relation: the noun and what classifies it, not what praises it."""
        loose = [c for c in noun.children if c.dep_ == "amod" and c.lower_ in lexicon.LOOSE]
        others = [c for c in noun.children if c.dep_ in ("prep", "nummod", "quantmod")]
        words = text(noun, without=[*without, *loose, *others])
        return words if noun.tag_ != "NNS" else lexicon.plural_noun(words)

    def object(self, noun: Token) -> str | None:
        """A noun phrase as the object of a fact."""
        if noun.i in self.alias:
            return self.alias[noun.i]
        if noun.ent_type_ in ("DATE", "TIME"):
            return text(noun)
        if noun.lower_ in PARTS:  # "a bit of German"
            whole = [c for p in noun.children if p.lower_ == "of" for c in p.children]
            if whole:
                return self.object(whole[0])
        if noun.pos_ in ("NOUN", "PROPN") and _owner(noun) is None and self.name(noun) is None:
            if noun.lower_ in lexicon.NOBODY:
                return None
            return text(noun, without=_kinds(noun))
        return self.thing(noun)


def _titles(noun: Token) -> list[Token]:
    """Common nouns before a name that is their bearer's: "hamster" in "our hamster Nibbles"."""
    return (
        [
            c
            for c in noun.children
            if c.dep_ in ("compound", "nmod", "amod")
            and c.text.islower()
            and c.i < noun.i
            and c.pos_ in ("NOUN", "PROPN")
        ]
        if noun.pos_ == "PROPN" and noun.text[:1].isupper()
        else []
    )


def _kinds(noun: Token) -> list[Token]:
    """Words for the kind of thing that a name is of: "company" of "made by company Orvelt"."""
    ones = [c for c in noun.children if c.dep_ == "nummod" and c.lower_ == "one"]
    name = noun.pos_ == "PROPN" and noun.text[1:2].islower()  # not "fridge B"
    return [*_titles(noun), *ones] if name else []


def _owner(noun: Token) -> Token | None:
    for child in noun.children:
        if child.dep_ == "poss":
            return child
        if noun.pos_ == "PROPN" and child.dep_ == "compound":  # "my partner Jo"
            for inner in child.children:
                if inner.dep_ == "poss":
                    return inner
    return None


def antecedent_of(pronoun: Token) -> Token | None:
    """The noun that a relative pronoun stands for; of a cleft, "it was Ann who ...", its focus."""
    for clause in pronoun.ancestors:
        if clause.dep_ == "relcl":
            return clause.head
        if clause.dep_ == "ccomp" and clause.head.lemma_ == "be":
            return next((c for c in clause.head.children if c.dep_ == "attr"), None)
    return None


def _named_before(noun: Token) -> Token | None:
    """The name in "Tom, my dentist, ...", where the parser takes the role for the head."""
    doc, first = noun.doc, noun.left_edge.i
    if (
        first
        and doc[first].lower_ == "the"
        and doc[first - 1].pos_ == "PROPN"
        and noun.pos_ == "NOUN"
    ):
        return doc[first - 1] if doc[first - 1].dep_ not in ("pobj", "dobj") else None
    owner = next((c for c in noun.children if c.dep_ == "poss"), None)
    mine = any(c.lower_ in ("mine", "ours") for p in noun.children for c in p.children)
    if owner is None and not mine:
        return None
    at = first
    closed = noun.i + 1 < len(doc) and doc[noun.i + 1].text == ","
    if at < 2 or not closed or doc[at - 1].text != "," or doc[at - 2].pos_ != "PROPN":
        return None
    return doc[at - 2] if doc[at - 2].dep_ not in ("pobj", "dobj") else None


def _named_after(noun: Token) -> str | None:
    """The name in "my aunt Rosa" and "the river Sill", where the parser hangs it on the verb."""
    doc, first = noun.doc, noun.i + 1
    if noun.pos_ != "NOUN" or first >= len(doc) or doc[first].pos_ != "PROPN":
        return None
    if doc[first].dep_ not in ("nsubj", "nsubjpass", "compound", "dep", "nmod", "punct"):
        return None
    if doc[first].head not in (noun, noun.head):
        return None
    last = first
    while last < len(doc) and doc[last].pos_ == "PROPN":
        last += 1
    return doc[first:last].text


def _of(noun: Token) -> bool:
    return any(child.dep_ == "prep" and child.lower_ == "of" for child in noun.children)


def _definite(noun: Token, explicit: bool = False) -> bool:
    dets = [child.lower_ for child in noun.children if child.dep_ == "det"]
    return "the" in dets or (not explicit and not dets)


def _indefinite(noun: Token) -> bool:
    return any(
        child.dep_ == "det" and child.lower_ in ("a", "an", "another") for child in noun.children
    )
