"""Spans of a remark that may answer a question: noun phrases, numbers, places, times, names.

Of each head there are several: alone with what classifies it, with "of" phrases, with all that
hangs on it, and with the preposition before it. Which of them is meant is the aligner's choice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prism.mind.reflect.words import word_set
from prism.mind.remarks.parse import Parse

BEFORE = frozenset(
    {
        "compound",
        "amod",
        "nummod",
        "nmod",
        "poss",
        "case",
        "quantmod",
        "advmod",
        "punct",
        "npadvmod",
    }
)
CONTRACTED = word_set("'s 've 're 'll 'd now noo")
JOINING = "-–/'.&:"


@dataclass(frozen=True)
class Span:
    """Words ``[first, last]`` of a parse.

    Attributes:
        head: its head word.
        kind: ``core`` (what classifies the head, and the head), ``name`` (the proper name in it),
            ``of`` (with "of" phrases), ``full`` (with all that hangs on it), ``number``, ``verb``,
            ``pair`` (joined by "and"), ``run`` (with the phrases that follow at once), ``word``
            (an adjective alone), ``house`` ("Granny's").
        prep: the preposition before it, which is not part of it.
    """

    first: int
    last: int
    head: int
    kind: str
    prep: str


def spans(parse: Parse) -> list[Span]:
    """All spans of a parse, no two with the same words."""
    found: dict[tuple[int, int], Span] = {}
    cores: dict[int, tuple[int, int]] = {}

    def add(at: int, kind: str, first: int, last: int) -> None:
        house = kind == "house"
        first, last = (first, last) if house else _trimmed(parse, first, last)
        if first <= last:
            found.setdefault((first, last), Span(first, last, at, kind, _prep(parse, first)))

    for at in range(len(parse.words)):
        for kind, (first, last) in _ways(parse, at):
            add(at, kind, first, last)
            if kind == "core":
                cores[first] = max(cores.get(first, (0, 0)), (last, at))
    for first, last in _capitals(parse):
        add(last, "name", first, last)
    for first, (last, at) in cores.items():
        for far in _run_on(parse, last, cores):
            add(at, "run", first, far)
    return list(found.values())


def _capitals(parse: Parse) -> Iterator[tuple[int, int]]:
    """Runs of capitalised words, whatever the parser takes them for: "guest ale's Dusty Monk"."""
    words, first = parse.words, None
    for at in range(len(words) + 1):
        large = at < len(words) and words[at].text[:1].isupper() and words[at].lower != "i"
        if large and first is None:
            first = at
        elif not large and first is not None:
            yield first, at - 1
            first = None


def _ways(parse: Parse, at: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Kinds of span that a word heads."""
    word = parse.words[at]
    if word.noun or word.tag in ("CD", "PRP", "FW"):
        yield from _noun(parse, at)
    elif word.tag[:2] == "JJ":
        yield "word", (at, at)
        if word.dep not in ("amod", "compound"):
            yield from _noun(parse, at)
    elif word.dep in ("dobj", "attr", "pobj", "oprd", "acomp", "appos") and word.content:
        yield "core", _core(parse, at)
    elif word.tag in ("VBG", "VBZ", "VBP", "VB", "VBD") and word.content:
        yield "verb", (at, max(i for i in parse.subtree(at) if i >= at))


def _run_on(parse: Parse, last: int, cores: dict[int, tuple[int, int]]) -> Iterator[int]:
    """Ends of a noun phrase with those that follow it at once, wherever the parser hangs them:
    "Gino's on Mill Lane", "the gas giant Braum", "level minus three, bay 41"."""
    words = parse.words
    for _ in range(2):
        after = last + 1
        if after < len(words) and words[after].tag in ("IN", "TO"):
            after += 1
            while after < len(words) and words[after].tag in ("DT", "PRP$"):
                after += 1
        if after not in cores or after > last + 4:
            return
        last = cores[after][0]
        yield last


def said(parse: Parse, span: Span) -> str:
    """The words of a span as they were written."""
    return parse.text[parse.words[span.first].start : parse.words[span.last].end].strip(" \"'.,!")


def _noun(parse: Parse, at: int) -> Iterator[tuple[str, tuple[int, int]]]:
    words = parse.words
    first, last = _core(parse, at)
    yield "core", (first, last)
    if words[at].tag == "CD":
        yield "number", (at, at)
    if words[at].tag[:3] == "NNP":
        one = at
        while one > first and words[one - 1].tag in ("NNP", "NNPS", "HYPH"):
            one -= 1
        yield "name", (one, last)
    below = [i for i in parse.children(at) if words[i].dep == "prep"]
    of = [max(parse.subtree(i)) for i in below if words[i].lower == "of"]
    if of:
        yield "of", (first, max(of))
    for i in below:
        yield "of", (first, max([*parse.subtree(i), last]))
    joined = [i for i in parse.children(at) if words[i].dep == "conj"]
    if joined:
        yield "pair", (first, max(max(_core(parse, i)) for i in joined))
    owner = words[at].noun and words[at].dep != "poss"
    if owner and last + 1 < len(words) and words[last + 1].lower == "'s":
        yield "house", (first, last + 1)
    under = [i for i in parse.subtree(at) if i >= first]
    yield "full", (first, max(under))


def _core(parse: Parse, at: int) -> tuple[int, int]:
    """A head with what classifies it before, and what is written on to it."""
    words = parse.words
    first = at
    while first and (
        (words[first - 1].head == at and words[first - 1].dep in BEFORE)
        or (at in parse.above(first - 1) and words[first - 1].dep not in ("det", "prep", "relcl"))
    ):
        if words[first - 1].dep == "punct" and words[first - 1].text not in JOINING:
            break
        first -= 1
    last = at
    while last + 1 < len(words):
        after = words[last + 1]
        glued = words[last].end == after.start and (
            after.text in JOINING or words[last].text in JOINING or after.text[:1].isalnum()
        )
        number = after.head == at and after.dep in ("nummod", "appos") and after.tag == "CD"
        if not (glued and after.text != "." and after.lower != "'s") and not number:
            break
        last += 1
    return first, last


def _trimmed(parse: Parse, first: int, last: int) -> tuple[int, int]:
    """Without determiners before it, and punctuation at its ends."""
    words = parse.words
    while first <= last and (
        words[first].tag in ("DT", ",", ":", "``", "''", ".", "CC", "-LRB-")
        or words[first].dep == "case"
    ):
        first += 1
    if first < last and words[first].tag == "PRP$" and words[last].tag[:3] == "NNP":
        first += 1
    while last >= first and (
        words[last].tag in (",", ".", "''", "``", ":", "CC", "-RRB-", "RB")
        or words[last].lower in CONTRACTED
    ):
        last -= 1
    return first, last


def _prep(parse: Parse, first: int) -> str:
    """The preposition before a span, over its determiners."""
    at = first - 1
    while at >= 0 and parse.words[at].tag in ("DT", "PRP$", "JJ", "CD", "POS"):
        at -= 1
    word = parse.words[at] if at >= 0 else None
    return word.lower if word is not None and word.tag in ("IN", "TO") else ""
