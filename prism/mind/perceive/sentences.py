"""Perception of a turn: its sentences as assertions, questions and the rest, with their facts.

turn -> sentences -> question      asked, stores nothing
                  -> assertion     one fact or several that the speaker vouches for
                  -> other         greetings, orders, opinions, what is not vouched for; and why
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from prism.mind.perceive import guards, instructions, lexicon, parser, plain
from prism.mind.perceive.phrases import Resolver, Triple
from prism.mind.perceive.remark import Remark, remark
from prism.mind.records import SAID

LINE = re.compile(r"\n+")
ENDS = re.compile(r"(?<=[.!?…])[\"')\]]*\s+(?=[\"'(\[]?[A-Za-z0-9])")
PARTS = re.compile(r"(?<=;)\s+")
# A full stop after these ends no sentence.
SHORT = re.compile(
    r"\b(?:dr|mr|mrs|ms|prof|st|jr|sr|vs|etc|e\.g|i\.e|no|inc|ltd|co|gen|rev|[a-z])\.$",
    re.IGNORECASE,
)


YES = lexicon.pattern("yes")
CORRECTING = lexicon.pattern("correcting")
FORGETTING = lexicon.pattern("forgetting")
# "Wilma lives in Porto, not Rome": what is denied at the end is no part of what is asserted.
CONTRAST = re.compile(r",\s+(?:and\s+)?not\s+(?!only\b)[^,;]+?(?=[.!]*\s*$)", re.IGNORECASE)
# Words by which a speaker withholds part of their word; the statement without them is what waits.
DOUBT = lexicon.pattern("doubt")


@dataclass(frozen=True)
class Sentence:
    """A sentence of a turn, as it was perceived.

    Attributes:
        text: as it was typed.
        kind: ``assertion``, ``question`` or ``other``.
        facts: what it asserts; empty but for an assertion.
        why: why it asserts nothing, in a few words, or None.
        remarks: what is kept of it in its own words.
        over: facts of which it says that they hold no more (:func:`clauses.over`).
    """

    text: str
    kind: str
    facts: tuple[Triple, ...] = ()
    why: str | None = None
    remarks: tuple[Remark, ...] = ()
    over: tuple[Triple, ...] = ()


def split(turn: str) -> Iterator[str]:
    """The sentences of a turn, at full stops and line breaks."""
    for line in LINE.split(turn.strip()):
        start = 0
        for found in ENDS.finditer(line):
            part = line[start : found.end()]
            if SHORT.search(part.strip()):
                continue
            if part.strip():
                yield part.strip()
            start = found.end()
        if line[start:].strip():
            yield line[start:].strip()


def perceive(
    turn: str,
    resolve: Resolver = lambda word, before: None,
    names: tuple[str, ...] = (),
    heard: Callable[[Triple], None] = lambda fact: None,
) -> list[Sentence]:
    """The sentences of a turn.

    Args:
        turn: what a user typed.
        resolve: who is meant by a pronoun (:meth:`prism.mind.working.WorkingMemory.resolve`).
        names: known names, by which a turn in lower case is read.
        heard: called with every fact at once, so that the next sentence's pronouns may mean it.
    """
    before: list[str] = []
    with parser.zone():
        found: list[Sentence] = []
        for line, quoted in _lines(turn):
            for text in split(line):
                if quoted:
                    found.append(Sentence(text, "other", why="quoted or pasted text is data"))
                    continue
                found += _sentences(text, resolve, names, heard, before)
        return _named(found)


def _named(sentences: list[Sentence]) -> list[Sentence]:
    """The sentences with a name of something that the turn said somebody has as a fact about who
    has it: "I have a turtle and its name is Shell" is (me, turtle, Shell). That somebody has a
    thing without a name ("she's got a ferret") is no fact; the sentence is kept."""
    had = {f.object.lower(): f for s in sentences for f in s.facts if f.relation in ("has", "owns")}
    named = {
        f.subject.lower()
        for s in sentences
        for f in s.facts
        if f.relation == "name" and f.subject.lower() in had
    }
    return [
        replace(
            s,
            facts=tuple(
                Triple(had[f.subject.lower()].subject, f.subject.lower(), f.object)
                if f.relation == "name" and f.subject.lower() in named
                else f
                for f in s.facts
                if not (f.relation == "has" and f.object.islower())
                and (f not in had.values() or f.object.lower() not in named)
            ),
        )
        for s in sentences
    ]


def _sentences(
    text: str,
    resolve: Resolver,
    names: tuple[str, ...],
    heard: Callable[[Triple], None],
    before: list[str],
) -> list[Sentence]:
    """The parts of a sentence between semicolons, each read for facts by itself. What is kept in
    its own words is the whole: "Anna has left; the cook is Ben now" is one thing said."""
    parts = PARTS.split(text)
    kept: tuple[Remark, ...] = ()
    if len(parts) > 1 and not any(guards.asks(part) for part in parts):
        whole = _kept(parser.spelt(parser.without_opener(text), names), resolve, before)
        kept = tuple(replace(each, words=text) for each in whole)
    found = [_sentence(part, resolve, names, heard, before) for part in parts]
    if not kept or not any(each.remarks for each in found):
        return found
    first = next(i for i, each in enumerate(found) if each.remarks)
    return [replace(each, remarks=kept if i == first else ()) for i, each in enumerate(found)]


def _lines(turn: str) -> Iterator[tuple[str, bool]]:
    """The lines of a turn, and whether each is quoted or pasted: a line is so as a whole, and
    everything between two fences."""
    fenced = False
    for line in LINE.split(turn.strip()):
        fence = line.strip().startswith("```")
        yield line, fenced or fence or instructions.pasted(line)
        fenced = fenced != fence


def _sentence(
    text: str,
    resolve: Resolver,
    names: tuple[str, ...],
    heard: Callable[[Triple], None],
    before: list[str],
) -> Sentence:
    if (joke := guards.JOKING.search(text)) is not None:
        return Sentence(text, "other", why=f"joke: {joke[0].strip()}")
    if (story := guards.TELLING.search(text)) is not None:
        return Sentence(text, "other", why=f"fiction: {story[0]}")
    bare = parser.without_opener(text)
    if guards.asks(bare):
        return Sentence(text, "question")
    facts: list[Triple] = []
    over: list[Triple] = []
    kept = _kept(parser.spelt(bare, names), resolve, before)
    for clause in parser.unspliced(CONTRAST.sub("", bare)):
        spelt = parser.spelt(clause, names)
        if parser.available():
            new, gone, why = _parsed(spelt, resolve, heard, before)
        else:
            (new, why), gone = plain.facts(spelt), []
        if why is not None and not (kept or gone):
            return Sentence(text, "other", why=why)
        facts += new
        over += gone
    for each in kept:
        heard(Triple(each.topic, SAID, ""))
    if not (facts or kept or over):
        return Sentence(text, "other", why="no fact was recognised")
    named = tuple(_unstopped(fact, text) for fact in facts)
    return Sentence(text, "assertion", named, remarks=kept, over=tuple(over))


def _unstopped(fact: Triple, text: str) -> Triple:
    """A fact whose names do not end with the full stop of its sentence: "Crumb & Co."."""

    def name(thing: str) -> str:
        last = thing.split()[-1:]
        ends = text.rstrip().endswith(thing) and re.fullmatch(r"[^\W\d_]{2,}\.", "".join(last))
        return thing[:-1] if ends else thing

    return replace(fact, subject=name(fact.subject), object=name(fact.object))


def _kept(spelt: str, resolve: Resolver, before: list[str]) -> tuple[Remark, ...]:
    """Remarks: sentences kept in their own words."""
    if not parser.available():
        return ()
    doc = parser.parse(spelt)
    why = guards.unreal(doc)
    if why is not None and not guards.ENDED.search(why):
        return ()
    found = remark(doc, resolve, before)
    return () if found is None else (found,)


def _parsed(
    spelt: str, resolve: Resolver, heard: Callable[[Triple], None], before: list[str]
) -> tuple[list[Triple], list[Triple], str | None]:
    """The facts of a clause, those that it says are over, and why it asserts none, or None."""
    from prism.mind.perceive import clauses  # spaCy's types only where it is there

    doc = parser.parse(spelt)
    why = guards.unreal(doc)
    if why is not None and not guards.ENDED.search(why):
        return [], [], why
    over = clauses.over(doc, resolve, before)
    before += [fact.subject for fact in over if fact.subject]
    for fact in over:
        heard(fact if fact.subject else Triple(fact.object, SAID, ""))
    return [] if why is not None else clauses.facts(doc, resolve, heard, before), over, why


def confirms(turn: str) -> bool:
    """True for "yes", "that's right": the user vouches for what was unsure."""
    return YES.match(turn) is not None


def forgets(turn: str) -> bool:
    """True if a turn asks to forget something."""
    return FORGETTING.match(turn) is not None


def corrected(turn: str, old: str) -> str | None:
    """The value that a turn puts in the place of the one just stated ("No, it's Porto"), or None.

    It has to be of the same shape as the old one: a number for a number, a name for a name.
    """
    found = CORRECTING.match(turn.strip())
    if found is None:
        return None
    new = found["value"].strip()
    alike = any(c.isdigit() for c in new) == any(c.isdigit() for c in old)
    named = new[:1].isupper() == old[:1].isupper()
    shaped = any(c.isdigit() for c in new) or new[:1].isupper() or found["meant"]
    return new if alike and named and shaped and new.casefold() != old.casefold() else None


def doubted(sentence: Sentence, resolve: Resolver) -> list[Triple]:
    """Facts that a hedged sentence states without its hedge ("I think Boris lives in Rome")."""
    if sentence.kind != "other" or not DOUBT.search(sentence.text):
        return []
    certain = re.sub(r"\s+", " ", DOUBT.sub(" ", sentence.text)).strip(" ,")
    if not certain:
        return []
    with parser.zone():
        return list(_sentence(certain, resolve, (), lambda fact: None, []).facts)
