"""Question of a clause: what it asks for, and what makes it a question about another thing.

A hidden state says that a text is about a relation; it hardly says whose, when, or whether it is
so: "the mayor of X in 1968", "the wife of X's CEO" have states like that of the plain question.
Those are matters of the sentence's form, and rules over closed classes of words decide them,
whatever the relation is:

* a noun phrase that is asked for in so many words ("the N of X is", "X's N is", "its N is") must
  be the relation's name: all of its content words, and no other;
* it must belong to the subject: another name, a rival, a relative clause in between takes it over;
* it must be said of now: a year, "former", "next", "would be" ask for another value;
* it must be asserted: "is not", "wrongly assume", "unlike X" ask for something else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from prism.inject.clause import (
    APART,
    AROUND,
    COPULAS,
    DENIAL,
    DETERMINERS,
    FILLERS,
    FOLLOWS_WELL,
    FUNCTION,
    MISTAKEN,
    OTHER_ONE,
    OTHER_TIME,
    PREPOSITIONS,
    RELATED,
    SUBJECT,
    Clause,
    content,
    head_of,
    names_in,
    stem,
    words_of,
)
from prism.inject.phrases import GOVERNED, asked_phrase, had_phrase

PARTICIPLE = re.compile(r"\w+(?:ed|en|wn|ung|ade|uilt|eld|ught|ound|ept|pent|set|run|led|sold)")
AFTER_NOUN = ("of", "is", "was", "are", ",", ":")
ANOTHER = frozenset({"another", "assistant", "deputy", "other", "second", "third", "vice"})
ASIDE = "of what a relative clause tells of"
VERBAL = frozenset({"can", "get", "gets", "had", "has", "have", "you", "it", "they"})
EARLIER = ("before", "until", "till")
CONJUNCTIONS = ("although", "because", "though", "when")
STANDS_IN = ("one", "ones", "that", "those")  # for a noun said before
YEAR = re.compile(r"(?:1\d{3}|20\d{2})s?")


@dataclass(frozen=True)
class Verdict:
    """Meaning of the words: "asked" in so many words, "other" thing, or "open": the state decides.

    ``overlap`` is the share of the relation's content words that stand in the clause; ``why`` names
    the rule."""

    kind: str
    overlap: float = 0.0
    why: str = ""

    @property
    def lasts(self) -> bool:
        """True if the rest of the sentence goes on about the other thing."""
        return self.why != ASIDE


def verdict(
    clause: Clause,
    relation: Sequence[str],
    usual: frozenset[str] = frozenset(),
    worded: Sequence[frozenset[str]] = (),
) -> Verdict:
    """Judge what a clause asks of a relation with these words (its name's).

    Args:
        clause: the clause.
        relation: the words.
        usual: stems of all the words that its wordings use; they make no other thing of it.
        worded: stems of each other wording of it; a noun phrase of one is no other thing either.
    """
    noun = frozenset(content(relation))
    if not noun:
        return Verdict("open")
    words = clause.words
    tail = _without_asides(words[clause.last :])
    here = [stem(w) for w in words]
    overlap = len(noun & set(here)) / len(noun)
    why = _turned(clause, noun, relation) or _other_kind(clause, relation, noun | usual)
    if why:
        return Verdict("other", overlap, why)
    phrase = asked_phrase(tail)
    if phrase is None and clause.last:
        phrase = asked_phrase(_without_asides(words))
    phrase = phrase or had_phrase(tail)
    if phrase is not None and phrase[0] == GOVERNED:
        if frozenset(content(phrase[1:])) & noun:
            return Verdict("other", overlap, f"asks for {' '.join(phrase)}")
    elif phrase is not None:
        said = frozenset(content(phrase))
        turned = OTHER_ONE & set(phrase) - set(relation)
        if noun <= said <= noun | usual and not turned:
            return Verdict("asked", 1.0)
        aside = tail[-1:] == [","] and content(phrase)[-1:] == content(relation)[-1:]
        instead = said - noun - usual
        if turned or (instead and not aside and not any(instead <= one for one in worded)):
            return Verdict("other", overlap, f"asks for the {' '.join(phrase)}")
    if further(words, noun) or _moved_on(clause, noun):
        return Verdict("further", overlap)
    return Verdict("open", overlap)


def goes_on(rest: str) -> bool:
    """True if what follows a copula is its predicate, as in "the music of § was | written by"."""
    words = [w for w in words_of(rest) if not w.endswith("ly")]
    return bool(words) and PARTICIPLE.fullmatch(words[0]) is not None


def further(words: Sequence[str], noun: frozenset[str]) -> bool:
    """True if something is said of the value itself, as in "the N of § is married to"."""
    bound = _bound_to_subject(words, [stem(w) for w in words], noun)
    if not bound:
        return False
    rest = _without_asides(words[max(max(bound), words.index(SUBJECT)) + 1 :])
    verb = next((i for i, w in enumerate(rest) if w in COPULAS - {":", "'s"}), None)
    return verb is not None and bool(content([w for w in rest[verb + 1 :] if w not in FILLERS]))


def _moved_on(clause: Clause, noun: frozenset[str]) -> bool:
    """True if the last clause speaks neither of the subject nor of the relation, as in "§ opens in
    spring; the organisers hope for visitors from"."""
    words, start = clause.words, clause.last
    comma = max((i for i, w in enumerate(words[:-1]) if w == ","), default=-1)
    if words[comma + 1] in CONJUNCTIONS and comma >= start:
        start = comma + 1
    rest = words[start:]
    if not start or words[start - 1] == ":" or {"there", "here"} & set(rest):
        return False
    return SUBJECT not in rest and not noun & {stem(w) for w in rest}


def _without_asides(words: Sequence[str]) -> list[str]:
    """The words without what stands between two commas after the subject."""
    out = list(words)
    commas = [i for i, w in enumerate(out) if w == ","]
    if len(commas) >= 2 and SUBJECT in out[: commas[-2]] and out[-1] != ",":
        del out[commas[-2] : commas[-1] + 1]
    return out


def _other_kind(clause: Clause, relation: Sequence[str], noun: frozenset[str]) -> str:
    """Why the noun phrase beside the subject is of another kind: the boiling point for the melting
    point, the vice principal for the principal; empty if it is not."""
    words, head = clause.words, head_of(relation)
    for i in _bound_to_subject(words, [stem(w) for w in words], frozenset([head])):
        start = i
        while start and words[start - 1] not in FUNCTION | {",", "'s", SUBJECT} | PREPOSITIONS:
            start -= 1
        before = words[start:i]
        instead = set(content(before)) - noun
        if OTHER_ONE & set(before) - set(relation):
            return f"asks for the {' '.join(words[start : i + 1])}"
        if instead and len(noun) > 1 and words[-1] != "," and not noun & set(content(before)):
            return f"asks for the {' '.join(words[start : i + 1])}"
    return ""


def _turned(clause: Clause, noun: frozenset[str], relation: Sequence[str]) -> str:
    """Why the clause is about another thing; empty if nothing says so."""
    words = clause.words
    if SUBJECT not in words:
        return "the subject has gone"
    stems = [stem(w) for w in words]
    bound = _bound_to_subject(words, stems, noun)
    return (
        _not_so(clause, stems, noun, bound)
        or _beside_subject(words, noun)
        or _beside_noun(words, stems, noun, relation)
        or _subject_of_clause(clause, noun, bound)
    )


def _not_so(clause: Clause, stems: Sequence[str], noun: frozenset[str], bound: set[int]) -> str:
    """Of another time, supposed, or denied."""
    words = clause.words
    if any(YEAR.fullmatch(w) for w in words) or _at_another_time(words):
        return "of another time"
    if any(a in ("would", "had") and b in ("be", "have", "been") for a, b in pairwise(words)):
        return "not so, but supposed"
    if MISTAKEN & set(words) or (DENIAL & set(words[-3:])):
        return "denied"
    for i, word in enumerate(words):
        if word in DENIAL and noun & set(stems[i + 1 : i + 8]) and not bound & set(range(i)):
            return "denied"
    contrast = clause.last and words[clause.last - 1] in ("but", "whereas", "while")
    return "of the other side" if contrast and SUBJECT not in words[clause.last :] else ""


def _at_another_time(words: Sequence[str]) -> bool:
    """True for a word like "former", and for "before the war, ... was"; "once it is ripe, ..." is
    a condition and no other time."""
    opener = words[1 : words.index(",")] if "," in words else ()
    happens = any(w in COPULAS | VERBAL or w.endswith("ed") for w in opener)
    rest = words[1:] if words[0] == "once" and (happens or SUBJECT in opener[:1]) else words
    earlier = words[0] in EARLIER and "," in words and words[-1] in ("was", "were")
    return earlier or bool(OTHER_TIME & set(rest))


def _beside_subject(words: Sequence[str], noun: frozenset[str]) -> str:
    """Words beside the subject that set it apart, or make it what another thing is related to;
    or "that of" at the end, which leads to another one."""
    if words[-1] == "of" and words[-2:-1] in (("that",), ("those",)):
        return "of another one"
    for i in (k for k, word in enumerate(words) if word == SUBJECT):
        before = ["", "", *(w for w in words[max(0, i - 3) : i] if w not in DETERMINERS)]
        if before[-1] in APART:
            return f"{before[-1]} the subject"
        other = RELATED - {w for w in RELATED if stem(w) in noun} | {"compared"}
        if before[-1] in ("of", "with", "to") and before[-2] in other:
            return "of a related thing"
        if words[i + 1 : i + 2] == ("'s",) and set(words[i + 2 : i + 3]) & other:
            return "of a related thing"
        lead = [w for w in words[max(0, i - 5) : i] if w not in ("the", "a", "an")]
        compared, stands, govern = ["", "", "", *lead][-3:]
        if compared in PREPOSITIONS and stands in STANDS_IN and govern in ("of", "for"):
            return "compared with the subject"
    return ""


def _beside_noun(
    words: Sequence[str], stems: Sequence[str], noun: frozenset[str], relation: Sequence[str]
) -> str:
    """Words beside the relation's noun that make another one of it."""
    head, apart = head_of(relation), ANOTHER - set(relation)
    for i in (k for k, s in enumerate(stems) if s in noun):
        lead = [w for w in words[max(0, i - 4) : i] if w not in (SUBJECT, "'s", *DETERMINERS)]
        if lead and (lead[-1] in AROUND or (stems[i] == head and lead[-1] in apart)):
            return f"{lead[-1]} it"
        if words[i + 1 : i + 2] and words[i + 1] in ("of", "for"):
            owner = [w for w in words[i + 2 : i + 6] if w not in DETERMINERS]
            mine = SUBJECT in owner[:2] or not content(owner[:1]) or stem(owner[0]) in noun
            if not mine:
                return f"of {owner[0]}"
        then = words[i + 1 : i + 3]
        compound = content(then[:1]) and stem(then[0]) not in noun and then[0] not in FOLLOWS_WELL
        if stems[i] == head and compound and then[1:] and then[1] in AFTER_NOUN:
            return f"asks for the {words[i]} {then[0]}"
    return ""


def _subject_of_clause(clause: Clause, noun: frozenset[str], bound: set[int]) -> str:
    """Why the clause has another grammatical subject; empty if it has not."""
    words, raw = clause.words, clause.raw
    final = len(words) - 1 - words[::-1].index(SUBJECT)
    owner = words[final + 1 : final + 2] == ("'s",)
    if owner and bound and max(bound) < final and not noun & {stem(w) for w in words[final + 2 :]}:
        return "of something that the subject has"
    if not bound and _in_an_aside(words):
        return "of what an aside goes with"
    others = names_in(" ".join(raw[final + 1 :]))
    if others and not bound:
        return f"of {others[-1]}"
    at = words.index(SUBJECT)
    commas = [i for i, w in enumerate(words) if w == ","]
    if commas and commas[0] < at and clause.distance == 0 and not bound:
        opener = words[: commas[0]]
        closed = any(c > at for c in commas[1:])
        head = opener and opener[0] not in FUNCTION and raw[0][:1].isupper()
        if head and closed and len(opener) <= 4 and not opener[0].endswith(("ly", "ing")):
            return "of the first name"
    if not bound and _in_a_relative_clause(words, at, noun):
        return ASIDE
    return ""


def _in_a_relative_clause(words: Sequence[str], at: int, noun: frozenset[str]) -> bool:
    """True if the subject at ``at`` is told of only to say which other thing is meant, and the
    clause goes on about that one: "the car that beat § has a top speed of". "The firm that makes §
    is" asks for the firm, and "those who like § praise the author," for the author of §."""
    rest = words[at + 1 :]
    own = noun & {stem(w) for w in rest}
    told = own and not {"has", "have", "had", "with"} & set(rest)
    if told or (not own and len(rest) <= 2 and rest[-1:] and rest[-1] in COPULAS):
        return False
    for i in range(1, at):
        if words[i] in ("that", "who", "which") and words[i - 1] not in FUNCTION:
            between = [w for w in words[i + 1 : at] if w not in DETERMINERS]
            told_before = noun & {stem(w) for w in words[:at]} or words[i - 1] == ","
            beside = between[-1:] and between[-1] in PREPOSITIONS
            if 1 <= len(between) <= 3 and not told_before and not beside:
                return True
    return False


def _in_an_aside(words: Sequence[str]) -> bool:
    """True if the subject is only in the aside of "the N of Y, a place that § knows, is"."""
    end = len(words)
    while end and words[end - 1] in FILLERS:
        end -= 1
    first = words.index(",") if "," in words else end
    lead = words[:first]
    if end < 2 or words[end - 1] not in COPULAS or words[end - 2] != "," or first == end - 2:
        return False
    owned = "of" in lead and lead[0] in DETERMINERS and bool(content(lead[lead.index("of") :]))
    alone = content(words[first:end]) or len(words[first:end]) > 4  # "the firm of Bo, §, is"
    return owned and SUBJECT not in lead and bool(alone)


def _bound_to_subject(words: Sequence[str], stems: Sequence[str], noun: frozenset[str]) -> set[int]:
    """Indices of noun words that belong to the subject by their place: "N of §", "§'s N"."""
    bound: set[int] = set()
    for i, word in enumerate(words):
        if word != SUBJECT:
            continue
        j = i - 1
        while j >= 0 and words[j] in DETERMINERS:
            j -= 1
        if j >= 1 and words[j] in PREPOSITIONS and stems[j - 1] in noun:
            bound |= {k for k in range(max(0, j - 4), j) if stems[k] in noun}
        if words[i + 1 : i + 2] == ("'s",):
            bound |= {k for k in range(i + 2, min(len(words), i + 6)) if stems[k] in noun}
    return bound
