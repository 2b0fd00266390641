"""Sorts of what is asked for against what a span is: kinds of word, entities, units of measure.

"How tall" asks for a length, "how much do I owe" for money: :func:`measure` names what a question
asks to be measured, :func:`unit` what a span's number counts.
"""

from __future__ import annotations

from collections.abc import Sequence

from prism.mind.reflect.words import word_set
from prism.mind.remarks.asked import Asked
from prism.mind.remarks.parse import Word

PERSON, PLACE = frozenset({"PERSON"}), frozenset({"GPE", "LOC", "FAC"})
TIME, NUMBER = frozenset({"DATE", "TIME"}), frozenset({"CARDINAL", "MONEY", "QUANTITY", "PERCENT"})
PLACE_PREPS = word_set("in at on under beneath behind above below near outside inside by beside to")
TIME_WORDS = word_set(
    """monday tuesday wednesday thursday friday saturday sunday mondays tuesdays wednesdays
    thursdays fridays saturdays sundays january february march april may june july august september
    october november december noon midnight morning evening afternoon night today yesterday week
    month year o'clock half past quarter easter christmas day weekend"""
)
COLOUR_WORDS = word_set(
    "red blue green yellow black white brown grey gray pink purple orange violet teal blonde blond "
    "turquoise beige silver golden scarlet crimson navy maroon"
)
UNITS = {
    "age": word_set("years year months old year-old"),
    "length": word_set(
        "metres meters metre meter m feet foot ft inches inch cm km kilometres miles mile "
        "hands yards yard acres hectares litres liters"
    ),
    "weight": word_set("kilo kilos kg grams gram g pounds lb lbs stone tonnes tons ounces"),
    "money": word_set("euros euro dollars quid pence cents p pounds crowns francs £ $ €"),
    "degrees": word_set("degrees degree celsius fahrenheit °"),
    "duration": word_set("minutes minute hours hour days weeks seconds nights fortnight"),
}
MEASURED = {
    "age": word_set("old age"),
    "length": word_set("tall high deep long wide far big height depth length distance size large"),
    "weight": word_set("heavy weigh weight"),
    "money": word_set("cost costs pay paid owe price rent charge spend fee worth salary earn rate"),
    "degrees": word_set("warm hot cold temperature"),
    "count": word_set("many"),
    "code": word_set(
        "code pin password combination number phone passcode ip address version plate"
    ),
}


def measure(asked: Asked) -> str:
    """Name of what a question asks to be measured or counted; "" = nothing."""
    words = [w.lower for w in asked.parse.words]
    if asked.sort not in ("number", "manner", "thing", "time"):
        return ""
    return next((name for name, own in MEASURED.items() if own & set(words)), "")


def unit(words: Sequence[Word], after: Word | None) -> str:
    """Name of what the number of a span counts, by a word in it or next to it."""
    if not any(c.isdigit() for w in words for c in w.text) and all(w.tag != "CD" for w in words):
        return "no number"
    near = [w.lower for w in words] + ([after.lower] if after is not None else [])
    for name, own in UNITS.items():
        if any(word in own or word.rpartition("-")[2] in own for word in near):
            return name
    if any(w.lower in TIME_WORDS or ":" in w.text for w in words):
        return "date"
    mixed = any(any(map(str.isdigit, w.text)) and not w.text.isdigit() for w in words)
    return "code" if mixed else "bare"


def traits(asked: Asked, words: Sequence[Word], head: Word, prep: str) -> dict[str, float]:
    """Features of the sort that is asked for with each trait that a span has."""
    ents = {w.ent for w in words}
    found = {
        "named person": bool(ents & PERSON),
        "named place": bool(ents & PLACE),
        "time": bool(ents & TIME) or any(w.lower in TIME_WORDS for w in words),
        "number": any(c.isdigit() for w in words for c in w.text)
        or any(w.tag == "CD" for w in words),
        "colour": any(w.lower in COLOUR_WORDS for w in words),
        "proper": head.tag[:3] == "NNP",
        "noun": head.tag in ("NN", "NNS"),
        "adjective": head.tag[:2] == "JJ",
        "verb": head.verb,
        "at a place": prep in PLACE_PREPS and not ents & TIME,
        "after prep": bool(prep),
    }
    return {f"{asked.sort}: {name}": 1.0 for name, there in found.items() if there}
