"""Remarks about another thing than a question, and spans of another sort than is asked for.

The weights of :mod:`prism.mind.remarks.reading` compare the remarks that there are; where none
answers, the nearest one would. These rules bar what no score may allow:

    name     a name of the question, or its speaker, that the remark does not name. Another remark
             may name it if it was said in the same turn, if the later of the two opens with a
             pronoun, or if it explains one more word of the question: of "Tom's wife is Lena" and
             "Lena was born in Porto" the two together tell where *Tom's wife* was born, not where
             Tom was
    kin      relatives and animals: a wife is no sister, a cat no dog, however near their vectors
    before   "former", "previous" that the remark does not say: what holds now is no answer
    over     words of a clause that says that it holds no more ("Tom no longer works for Acme")
    word     of the words beside its names the remark, or one linked to it, has none; but what is of
             a sort that only the question asks for ("what colour do they wear": green) may be it
    sort     a place or a person for "when" or "what colour", a time for "where", no number for
             "how tall"; or words that the question itself has
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from prism.mind.perceive.guards import STOPPING
from prism.mind.reflect.words import FIRST_PERSON, KIN, word_set
from prism.mind.remarks.align import SENSE, SUBJECTS, Aligned
from prism.mind.remarks.asked import Asked
from prism.mind.remarks.parse import Parse
from prism.mind.remarks.sorts import PERSON, PLACE, TIME, TIME_WORDS, measure, traits, unit
from prism.mind.remarks.spans import Span

COUNTED = frozenset({"age", "length", "weight", "money", "degrees", "count"})
BEFORE = frozenset({"former", "previous", "ex", "earlier"})
SHORT = {"girlfriend": "gf", "boyfriend": "bf"}
SHARED = 0.4  # likeness of two words from which one speaks of the other
NO_MORE = {("no", "longer"), ("any", "more"), ("any", "longer")}
REFERS = word_set("he she it they his her its their this that")


def foreign(alone: Sequence[Aligned], n: int, linked: np.ndarray, turn: np.ndarray) -> bool:
    """True if remark ``n`` is about another thing than the question.

    Args:
        alone: the question against each remark.
        linked: ``[remarks, remarks]``, true for two about one thing.
        turn: of each remark, which turn it was said in.
    """
    one, asked = alone[n], alone[n].question
    words = asked.parse.words
    own = one.explained >= SENSE
    others = [m for m in range(len(alone)) if linked[n, m]]
    close = [m for m in others if turn[m] == turn[n] or _refers(alone[max(m, n)].remark)]
    for i in asked.content:
        if own[i]:
            continue
        if words[i].lower in BEFORE and words[i].tag[:2] == "JJ":
            return True
        if words[i].tag[:3] == "NNP" and not _named(alone, i, own, others, close):
            return True
        if words[i].lemma in KIN and not any(alone[m].explained[i] >= SENSE for m in others):
            short = SHORT.get(words[i].lemma)
            return not any(w.lower == short for w in one.remark.words)
    if not asked.speaker or not _of_a_named(one.remark):
        return False
    about_me = [m for m in others if alone[m].speaker]
    return not (set(about_me) & set(close) or any(_adds(alone[m], own, None) for m in about_me))


def over(remark: Parse) -> frozenset[int]:
    """Tokens of the clauses that say that they hold no more, "stopped singing" too."""
    words, found = remark.words, set()
    for at, (one, other) in enumerate(pairwise([*(w.lower for w in words), ""])):
        if not (one == "anymore" or (one, other) in NO_MORE):
            continue
        verb = next((i for i in (at, *remark.above(at)) if words[i].verb), None)
        if verb is not None:
            beside = [i for i in remark.subtree(verb) if i != verb and _own_clause(remark, i)]
            apart = {j for i in beside for j in remark.subtree(i)}
            found |= set(remark.subtree(verb)) - apart
    for at, word in enumerate(words):
        if word.dep == "xcomp" and words[word.head].lemma in STOPPING:
            found |= set(remark.subtree(at))
    return frozenset(found)


def _own_clause(remark: Parse, at: int) -> bool:
    """True for a verb with a subject of its own."""
    return remark.words[at].verb and any(
        remark.words[i].dep in ("nsubj", "nsubjpass") for i in remark.children(at)
    )


def _of_a_named(remark: Parse) -> bool:
    """True for a remark that does not name the speaker but something of another's, or another."""
    words = remark.words
    return not any(w.lower in FIRST_PERSON for w in words) and any(
        w.tag[:3] == "NNP" and (w.dep in SUBJECTS or w.dep == "poss") for w in words
    )


def unspoken(alone: Sequence[Aligned], n: int, linked: np.ndarray) -> bool:
    """True if no word of the question but its names has a like in remark ``n`` or one linked."""
    asked = alone[n].question
    said = [i for i in asked.content if asked.parse.words[i].tag[:3] != "NNP"]
    if not said:
        return False
    said += [] if asked.focus is None else [asked.focus]
    near = [n, *(m for m in range(len(alone)) if linked[n, m])]
    return max(float(alone[m].explained[said].max()) for m in near) < SHARED


def _named(
    alone: Sequence[Aligned], i: int, own: np.ndarray, others: list[int], close: list[int]
) -> bool:
    """True if another remark gives word ``i``, a name, and may stand for it."""
    return any(
        alone[m].explained[i] >= SENSE and (m in close or _adds(alone[m], own, i)) for m in others
    )


def _adds(other: Aligned, own: np.ndarray, name: int | None) -> bool:
    """True if a remark explains a word of the question that the first does not, beside ``name``;
    names do not count: they are what the two share."""
    words = other.question.parse.words
    return any(
        other.explained[i] >= SENSE and not own[i]
        for i in other.question.content
        if i != name and words[i].tag[:3] != "NNP"
    )


def _refers(remark: Parse) -> bool:
    return remark.words[0].lower in REFERS


def of_its_sort(asked: Asked, remark: Parse, span: Span) -> bool:
    """True for a colour, a time or a number where one is asked for."""
    found = traits(asked, remark.words[span.first : span.last + 1], remark.words[span.head], "")
    return any(f"{sort}: {sort}" in found for sort in ("colour", "time", "number"))


def of_another_sort(asked: Asked, remark: Parse, span: Span) -> bool:
    """True for a place or a person where a time or colour is asked for, a time where a place is,
    words without a number where a measure is, and for a span that only repeats the question."""
    words = remark.words[span.first : span.last + 1]
    said = {w.stem for w in asked.parse.words}
    own = [w for w in words if w.content]
    if asked.wh is not None and own and all(w.stem in said for w in own):
        return True
    kinds = {w.ent for w in words}
    timely = bool(kinds & TIME) or any(w.lower in TIME_WORDS for w in words)
    if asked.sort in ("time", "colour"):
        return bool(kinds & (PERSON | PLACE)) and not timely
    if asked.sort == "place":
        return timely and not kinds & PLACE and not span.prep
    after = remark.words[span.last + 1] if span.last + 1 < len(remark.words) else None
    counts = asked.sort in ("number", "manner") and measure(asked) in COUNTED
    return counts and unit(words, after) == "no number"
