"""A question as a sentence with a gap: what is asked for, and where in the sentence it stands.

wh        the question word, or the noun that a question without one asks for
sort      what fills the gap: person, place, time, number, colour, name, doing, reason, thing
focus     the noun that says of what kind it is: "which *troupe*", "how many *sugars*"
role      the gap's grammatical function, with its preposition
verb      the predicate that governs it
"""

from __future__ import annotations

from dataclasses import dataclass

from prism.mind.reflect.question import MEASURES
from prism.mind.reflect.words import FIRST_PERSON, GREETING, POLITE, word_set
from prism.mind.remarks.parse import Parse

WH = word_set("who whom whose which what where when how why")
SORTS = {"who": "person", "whom": "person", "whose": "person", "where": "place", "when": "time"}
TIMES = word_set(
    "time day date year month week hour weekday season birthday anniversary o'clock appointment"
)
PLACES = word_set(
    "place city town country street village island county region state location address room "
    "platform district area building spot floor"
)
NUMBERS = word_set(
    "number code price cost age weight height size amount temperature combination pin phone "
    "telephone mobile dose rent sum"
)
PEOPLE = word_set("person man woman guy people family")
COLOURS = word_set("colour color shade")
NAMES = word_set("name nickname surname called named call")


@dataclass(frozen=True)
class Asked:
    """See the module; ``gap`` are the tokens of the wh-phrase; ``content`` those that a remark has
    to explain."""

    parse: Parse
    wh: int | None
    gap: tuple[int, ...]
    sort: str
    focus: int | None
    role: str
    prep: str
    verb: int | None
    content: tuple[int, ...]

    @property
    def speaker(self) -> bool:
        """True for a question about the speaker."""
        return any(w.lower in FIRST_PERSON for w in self.parse.words)


def asked(parse: Parse) -> Asked:
    """The reading of a question's parse."""
    words = parse.words
    wh = next((i for i, w in enumerate(words) if w.tag[:1] == "W" and w.lower in WH), None)
    if wh is None:
        wh = next((i for i, w in enumerate(words) if w.lower in WH), None)
    focus = _focus(parse, wh)
    sort = _sort(parse, wh, focus)
    gap = _gap(parse, wh, focus)
    top = focus if wh is not None and focus is not None and focus in gap else wh
    verb = None if top is None else next((i for i in parse.above(top) if words[i].verb), None)
    role, prep = _role(parse, top)
    content = tuple(
        i
        for i, w in enumerate(words)
        if w.content and i not in gap and w.lower not in POLITE and w.lower not in GREETING
    )
    return Asked(parse, wh, gap, sort, focus, role, prep, verb, content)


def _focus(parse: Parse, wh: int | None) -> int | None:
    """The noun that the question word asks about: "which troupe", "how many sugars", "what is the
    *number* of", or the head of a question without one."""
    words = parse.words
    if wh is None:
        return next((i for i, w in enumerate(words) if w.head == i), None)
    if words[wh].lower in ("which", "what", "whose"):
        if words[wh].dep in ("det", "poss", "attr", "dobj", "nsubj", "pobj") and (
            words[words[wh].head].noun and words[wh].head > wh
        ):
            return words[wh].head
        after = next((i for i in range(wh + 1, min(wh + 4, len(words))) if words[i].noun), None)
        if after is not None and all(
            words[i].tag[:2] in ("JJ", "NN") for i in range(wh + 1, after)
        ):
            return after
    if words[wh].lower == "how":
        for i in range(wh + 1, min(wh + 4, len(words))):
            if words[i].noun:
                return i
            if words[i].verb:
                break
    if words[wh].lower == "what":
        be = next((i for i in parse.above(wh) if words[i].lemma in ("be", "'s")), None)
        if be is not None:
            return next(
                (
                    i
                    for i in parse.children(be)
                    if words[i].dep in ("nsubj", "attr") and i != wh and words[i].noun
                ),
                None,
            )
    return None


def _sort(parse: Parse, wh: int | None, focus: int | None) -> str:
    words = parse.words
    noun = None if focus is None else words[focus]
    word = "" if wh is None else words[wh].lower
    after = words[wh + 1].lower if wh is not None and wh + 1 < len(words) else ""
    if word == "how":
        if after in MEASURES or (noun is not None and after in ("many", "much")):
            return "number"
        return "manner"
    if word in SORTS:
        return SORTS[word]
    if word == "why":
        return "reason"
    if noun is not None:
        for names, sort in (
            (COLOURS, "colour"), (TIMES, "time"), (NUMBERS, "number"), (PEOPLE, "person"),
            (NAMES, "name"), (PLACES, "place"),
        ):  # fmt: skip
            if noun.lemma in names:
                return sort
    if any(w.lower in ("called", "named") for w in words):
        return "name"
    if word == "what" and wh is not None and words[wh].dep == "dobj":
        above = words[words[wh].head]
        if above.lemma == "do":
            return "doing"
    return "thing"


def _gap(parse: Parse, wh: int | None, focus: int | None) -> tuple[int, ...]:
    """Tokens of the question word with the noun that it stands before."""
    if wh is None:
        return ()
    words = parse.words
    if words[wh].lower in ("which", "what", "whose") and focus is not None and focus > wh:
        near = all(words[i].tag[:2] in ("JJ", "NN", "CD") for i in range(wh + 1, focus))
        if near:
            return tuple(range(wh, focus + 1))
    if words[wh].lower == "how" and wh + 1 < len(words) and words[wh + 1].lower in MEASURES:
        return (wh, wh + 1)
    return (wh,)


def _role(parse: Parse, top: int | None) -> tuple[str, str]:
    """Function of the gap, and its preposition, stranded ones too ("where ... from")."""
    if top is None:
        return "", ""
    words = parse.words
    word = words[top]
    if word.dep == "pobj":
        return "pobj", words[word.head].lower
    stranded = [
        i
        for i, w in enumerate(words)
        if w.dep == "prep" and w.tag in ("IN", "TO", "RP") and not parse.children(i)
    ]
    if stranded and word.dep not in ("nsubj", "nsubjpass"):
        return "pobj", words[stranded[-1]].lower
    return word.dep, ""
