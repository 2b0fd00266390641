"""Noun phrase that a clause asks for: N of "the N of § is", "§'s N is", "§ has a N of"."""

from __future__ import annotations

from collections.abc import Sequence

from prism.inject.clause import (
    AROUND,
    COPULAS,
    DETERMINERS,
    FILLERS,
    FUNCTION,
    NEUTRAL,
    PREPOSITIONS,
    PRONOUNS,
    RELATED,
    SUBJECT,
    content,
)

ANOTHERS, GOVERNED = "another's", "what goes with the"  # marks before a noun phrase


def asked_phrase(words: Sequence[str]) -> list[str] | None:
    """The noun phrase that a clause asks for in so many words, None if it does otherwise:
    "the N of § is", "§'s N is", "its N is", "the N is", "§ N:"; and with a comma at the end."""
    end = len(words)
    while end and words[end - 1] in FILLERS - {"at", "as", "known", "called", "named"}:
        end -= 1
    sign = words[end - 1] if end else ""
    if sign not in COPULAS and sign not in (",", "?"):
        return None
    body = list(words[: end - 1])
    if sign in ("named", "called") and SUBJECT in body:  # "the N of §, a man named"
        at = len(body) - 1 - body[::-1].index(SUBJECT)
        if body[at + 1 : at + 2] == [","] and body[at + 2 : at + 3] in (["a"], ["an"]):
            body, sign = body[: at + 1], ","
    while body and body[-1] in (",", "?", "here", "these", "days", "now", "is", "will", "which"):
        body.pop()
    if body[:1] and body[0] in ("what", "who", "which"):
        at = next((i for i, w in enumerate(body) if w in ("is", "was", "are", "'s")), None)
        body = body[at + 1 :] if at is not None else body
    if SUBJECT not in body:
        return _ending_phrase(body)
    at = len(body) - 1 - body[::-1].index(SUBJECT)
    if body[at + 1 : at + 2] in (["'s"], ["'"], ["’"]):
        owner = _head_before(body[:at])
        whole = body[at + 2 :]
        part = _up_to_preposition(whole)
        phrase = None if sign == "," and len(part) < len(whole) else _noun_phrase(part)
        return [owner, *phrase] if owner and phrase else phrase
    if at == len(body) - 1:
        return _phrase_of_subject(body[:at], sign)
    rest = body[at + 1 :]
    if at == 0 and len(rest) <= 4 and all(w not in FUNCTION for w in rest):
        return _noun_phrase(rest)
    return None if {"has", "have", "had"} & set(rest) else _ending_phrase(body)


def _phrase_of_subject(body: Sequence[str], sign: str) -> list[str] | None:
    """N of "the N of §", where it is what the clause is about; ``body`` ends before the §."""
    end = len(body)
    while end and body[end - 1] in DETERMINERS:
        end -= 1
    if not end or body[end - 1] not in PREPOSITIONS:
        return None
    possessed = body[end - 1] == "of"
    body = body[: end - 1]
    start = len(body)
    while start and body[start - 1] not in DETERMINERS | {",", ":", ";"}:
        start -= 1
    phrase = _noun_phrase(body[start:])
    if phrase is None:
        return None
    before = list(body[: max(0, start - 1)]) if start and body[start - 1] in DETERMINERS else []
    owner = _head_before(before)
    if owner:
        return [owner, *phrase]
    if before and before[-1] in PREPOSITIONS and sign in COPULAS - {":"}:
        return [GOVERNED, *phrase] if "," not in before else None
    if not before and body[start:][:1] and body[start] in PREPOSITIONS:
        return None
    if possessed and sign == "," and start and body[start - 1] == "the":
        return phrase
    openers = (",", ":", ";", "and", "but", "so", "that", "if", *AROUND)
    opens = not before or before[-1] in openers
    return phrase if opens else None


def _ending_phrase(body: Sequence[str]) -> list[str] | None:
    """N of "the N", at the end of a clause that names its subject earlier or not at all."""
    start = len(body)
    while start and body[start - 1] not in DETERMINERS | {",", ":", ";", SUBJECT}:
        start -= 1
    if not start or body[start - 1] not in DETERMINERS:
        return None
    words = list(body[start:])
    if "'s" in words:  # the country's official language
        at = words.index("'s")
        words = words[at - 1 :] if words[at - 1] in RELATED else words[at + 1 :]
    phrase = _noun_phrase(_up_to_preposition(words))
    return [ANOTHERS, *phrase] if phrase and body[start - 1] in PRONOUNS else phrase


def _up_to_preposition(words: Sequence[str]) -> Sequence[str]:
    """The words before the first preposition but "of"."""
    return words[: next((i for i, w in enumerate(words) if w in PREPOSITIONS - {"of"}), len(words))]


def _head_before(words: Sequence[str]) -> str | None:
    """The noun that "of the" after it makes the head, as wife in "the wife of the"."""
    end = len(words)
    while end and words[end - 1] in DETERMINERS:
        end -= 1
    if end >= 2 and words[end - 1] == "of" and words[end - 2] not in FUNCTION | NEUTRAL:
        return words[end - 2]
    return None


def _noun_phrase(words: Sequence[str]) -> list[str] | None:
    """The words if they can be a noun phrase: few, and none that begins another clause."""
    odd = FUNCTION - DETERMINERS - {"of"}
    if not content(words) or len(words) > 7 or any(w in odd for w in words):
        return None
    return [w for w in words if w not in DETERMINERS]


def had_phrase(words: Sequence[str]) -> list[str] | None:
    """N of "§ has the N" and "§ has a N of", at the end of a clause."""
    body = list(words)
    while body and body[-1] in ("of", ":", ",", "namely"):
        body.pop()
    at = next((i for i, w in enumerate(body[:-1]) if w == SUBJECT), None)
    if at is None or body[at + 1] not in ("has", "have", "had") or SUBJECT in body[at + 1 :]:
        return None
    return _noun_phrase(body[at + 2 :]) if body[at + 2 : at + 3] else None
