"""Words of a noun phrase, as they were typed: without article, clauses, asides and others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prism.mind.perceive import lexicon

if TYPE_CHECKING:
    from spacy.tokens import Token

INSIDE = frozenset(
    {
        "compound",
        "amod",
        "nummod",
        "nmod",
        "poss",
        "case",
        "quantmod",
        "advmod",
        "hyph",
        "punct",
        "npadvmod",
        "meta",
        "dep",
    }
)


def text(noun: Token, without: list[Token | None] | None = None, places: bool = False) -> str:
    """The words of a phrase, as they were typed: without article, clauses, asides and others.

    Args:
        without: tokens that are left out with all that hangs on them.
        places: keep "on Bell Road" of "the pharmacy on Bell Road", which tells it from others.
    """
    if (time := _clock(noun)) is not None:
        return time
    left_out = {token.i for token in without or [] if token is not None}
    kept: set[int] = set()
    _collect(noun, left_out, kept, top=True, places=places)
    numbers = _named_only(_whole(_undivided(sorted(kept), noun), noun), noun)
    while (
        numbers and noun.doc[numbers[-1]].pos_ == "PUNCT" and noun.doc[numbers[-1]].text not in ")"
    ):
        numbers.pop()
    while numbers and noun.doc[numbers[0]].pos_ == "PUNCT":
        numbers.pop(0)
    words = "".join(
        noun.doc[i].text + (noun.doc[i].whitespace_ if j in kept or j == i + 1 else " ")
        for i, j in zip(numbers, [*numbers[1:], -1], strict=True)
    )
    return words.strip(" \"'").replace("inlaw", "-in-law")


def _whole(numbers: list[int], noun: Token) -> list[int]:
    """The places with what is written on to the last one: "31-8-22", "555-0192"."""
    doc, last = noun.doc, numbers[-1]
    if not doc[last].text[-1:].isdigit() and doc[last].text not in "-–/":
        return numbers
    while last + 1 < len(doc) and not doc[last].whitespace_:
        follows = doc[last + 1]
        on = follows.text in "-–/:." and last + 2 < len(doc) and not follows.whitespace_
        if not on and not follows.text[:1].isalnum():
            break
        last += 1
    return [*numbers, *range(numbers[-1] + 1, last + 1)]


def _named_only(numbers: list[int], noun: Token) -> list[int]:
    """The places of a name without adjectives before it: "Volvo 240" of "old Volvo 240"."""
    if noun.pos_ != "PROPN":
        return numbers
    at = 0
    while (
        at < len(numbers) - 1
        and noun.doc[numbers[at]].pos_ == "ADJ"
        and noun.doc[numbers[at]].text.islower()
    ):
        at += 1
    return numbers[at:]


def _undivided(numbers: list[int], noun: Token) -> list[int]:
    """The places around the noun that no comma divides from it."""
    first, last = numbers[0], numbers[-1]
    commas = [i for i in range(first, last) if noun.doc[i].text == "," and i not in numbers]
    low = max((i for i in commas if i < noun.i), default=-1)
    high = min((i for i in commas if i > noun.i), default=len(noun.doc))
    return [i for i in numbers if low < i < high]


def _collect(
    token: Token, left_out: set[int], kept: set[int], top: bool = False, places: bool = False
) -> None:
    kept.add(token.i)
    named = token.pos_ == "PROPN"
    for child in token.children:
        if child.i in left_out or child.lower_ in lexicon.NEGATIVE:
            continue
        if top and child.dep_ == "case" and not _ends_a_name(child, token):
            continue
        rate = token.dep_ == "npadvmod"  # "3 euros a day"
        if child.dep_ == "det" and (top or (child.lower_ in ("a", "an") and not rate)):
            continue
        if child.dep_ == "punct" and child.text not in "-–/'.&":
            continue
        if child.dep_ == "advmod" and token.pos_ in ("NOUN", "PROPN", "PRON"):
            continue
        if child.dep_ == "prep":
            pobj = next((c for c in child.children if c.dep_ == "pobj"), None)
            keep = child.lower_ == "of" or (places and not named)
            if pobj is None or not keep or pobj.lemma_ in lexicon.SPANS:
                continue
            _collect(child, left_out, kept)
        elif (
            child.dep_ in INSIDE
            or child.dep_ in ("pobj", "det")
            or (child.dep_ in ("cc", "conj") and named and (not top or firm(token)))
        ):
            _collect(child, left_out, kept)


def _clock(noun: Token) -> str | None:
    """The whole of "half past six", whichever of its words is the noun."""
    for entity in noun.doc.ents:
        if entity.start <= noun.i < entity.end and entity[0].lower_ in ("half", "quarter"):
            return entity.text if any(t.lower_ in ("past", "to") for t in entity) else None
    return None


def _ends_a_name(mark: Token, noun: Token) -> bool:
    """True for the mark of "St. Odile's" where nothing is owned: it belongs to the name."""
    follows = mark.nbor().pos_ if mark.i + 1 < len(mark.doc) else "PUNCT"
    owning = noun.dep_ == "poss" or noun.pos_ != "PROPN" or "'" not in mark.text
    return not owning and follows in ("AUX", "PUNCT")


def firm(noun: Token) -> bool:
    """True for one name with "&" in it: "Hallgren & Sons"."""
    return any(child.dep_ == "cc" and child.text in ("&", "+") for child in noun.children)
