"""Clause of a question: what is asked, about whom, and what makes it a question about another thing.

A hidden state says that a text is about a relation; it hardly says whose, when, or whether it is so.
"The capital of Lower X", "the mayor of X in 1968", "the wife of X's CEO" have states like that of
the plain question. Those are matters of the sentence's form, and a few rules over closed classes of
words decide them, whatever the relation is:

* the name must end where its noun phrase ends (X Heights, X Pro, Lower X, X-D are other names);
* a noun phrase that is asked for in so many words ("the N of X is", "X's N is", "its N is") must
  be the relation's name: all of its content words, and no other;
* it must belong to the subject: another name, a rival, a relative clause in between takes it over;
* it must be said of now: a year, "former", "next", "would be" ask for another value;
* it must be asserted: "is not", "wrongly assume", "unlike X" ask for something else.

The subject is written ``§`` in a clause, and so are the pronouns that stand for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

SUBJECT = "§"
TOKEN = re.compile(r"§|['’]s\b|[^\W_]+(?:[-'’.][^\W_]+)*|[^\w\s]")
STOP = re.compile(r"[.?!][\"'”’)]*\s+(?=[\"'“(]*[A-Z0-9§])|[.?!]+[\"'”’)]*\s+(?=\S)|\n")
SHORT = re.compile(r"(?:\b[A-Za-z]|\b(?:vs|Mr|Mrs|Ms|Dr|St|No|Prof|Inc|Ltd|Co))\.$")
PARTICIPLE = re.compile(r"\w+(?:ed|en|wn|ung|ade|uilt|eld|ught|ound|ept|pent|set|run|led|sold)")
YEAR = re.compile(r"(?:1\d{3}|20\d{2})s?")

DETERMINERS = frozenset(
    [
        "a",
        "an",
        "the",
        "this",
        "that",
        "these",
        "those",
        "its",
        "his",
        "her",
        "their",
        "our",
        "my",
        "your",
        "any",
    ]
)
PREPOSITIONS = frozenset(
    [
        "of",
        "for",
        "at",
        "in",
        "on",
        "under",
        "behind",
        "to",
        "from",
        "with",
        "by",
        "as",
        "about",
        "into",
        "onto",
        "over",
        "within",
        "inside",
        "near",
        "than",
        "between",
        "against",
        "through",
        "during",
        "after",
        "before",
        "since",
        "until",
        "like",
    ]
)
COPULAS = frozenset(
    ["is", "are", "was", "were", "be", "been", "being", "'s", "’s", ":", "called", "named"]
)
FILLERS = frozenset(
    [
        "a",
        "an",
        "the",
        "now",
        "currently",
        "about",
        "around",
        "roughly",
        "approximately",
        "nearly",
        "almost",
        "just",
        "only",
        "exactly",
        "called",
        "named",
        "also",
        "still",
        "simply",
        "precisely",
        "some",
        "at",
        "today",
        "known",
        "as",
    ]
)
FUNCTION = (
    DETERMINERS
    | PREPOSITIONS
    | COPULAS
    | FILLERS
    | frozenset(
        [
            "and",
            "or",
            "but",
            "so",
            "if",
            "when",
            "while",
            "whereas",
            "because",
            "although",
            "though",
            "unless",
            "who",
            "whom",
            "whose",
            "which",
            "what",
            "where",
            "why",
            "how",
            "it",
            "he",
            "she",
            "they",
            "we",
            "you",
            "i",
            "me",
            "us",
            "them",
            "him",
            "has",
            "have",
            "had",
            "do",
            "does",
            "did",
            "can",
            "could",
            "will",
            "would",
            "shall",
            "should",
            "may",
            "might",
            "must",
            "not",
            "no",
            "there",
            "here",
            "own",
            "s",
            "it's",
            "what's",
            "who's",
            "out",
            "up",
            "down",
            "off",
            "then",
            "just",
            "tell",
            "me",
            "please",
            "ok",
            "say",
            "answer",
            "question",
            "q",
        ]
    )
)
OTHER_TIME = frozenset(
    [
        "ago",
        "formerly",
        "former",
        "previous",
        "previously",
        "earlier",
        "erstwhile",
        "once",
        "next",
        "future",
        "ex",
        "then",
        "upcoming",
        "coming",
        "later",
        "originally",
        "original",
    ]
)
OTHER_ONE = frozenset(
    [
        "vice",
        "deputy",
        "assistant",
        "associate",
        "acting",
        "interim",
        "junior",
        "sub",
        "co",
        "other",
        "another",
        "different",
        "same",
        "second",
        "third",
        "second-highest",
        "second-largest",
        "last",
        "first",
        "late",
        "would-be",
        "rival",
        "minimum",
        "parent",
        "opposite",
        "new",
        "old",
        "honorary",
    ]
)
RELATED = frozenset(
    [
        "rival",
        "rivals",
        "competitor",
        "neighbour",
        "neighbor",
        "enemy",
        "opponent",
        "owner",
        "parent",
        "subsidiary",
        "twin",
        "sister",
        "brother",
        "friend",
        "relative",
        "successor",
        "predecessor",
        "ally",
        "partner",
        "branch",
    ]
)
DENIAL = frozenset(["not", "never", "n't", "cannot"])
MISTAKEN = frozenset(["wrongly", "mistakenly", "falsely", "incorrectly", "supposedly"])
APART = frozenset(
    [
        "unlike",
        "than",
        "except",
        "besides",
        "not",
        "despite",
        "beat",
        "owns",
        "own",
        "owned",
        "versus",
    ]
)
PRONOUNS = {"its": "§ 's", "his": "§ 's", "her": "§ 's", "their": "§ 's"}
ANOTHERS, GOVERNED = "another's", "what goes with the"  # marks before a noun phrase
PERSONAL = frozenset(["his", "her", "he", "she", "whose"])
STANDING = {"it": "§", "he": "§", "she": "§", "they": "§", "it's": "§ is", "its'": "§ 's"}
NEUTRAL = frozenset(
    [
        "own",
        "exact",
        "current",
        "present",
        "actual",
        "very",
        "precise",
        "full",
        "name",
        "city",
        "local",
        "following",
        "total",
    ]
)
CALENDAR = frozenset(
    [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "sundays",
        "mondays",
        "fridays",
        "saturdays",
    ]
)
AROUND = frozenset(["before", "after", "despite", "without"])  # a value that is not this one
FOLLOWS_WELL = frozenset(["city", "name", "number"])  # after a noun: the capital city


@dataclass(frozen=True)
class Clause:
    """The words that lead to the place where an answer would stand.

    Attributes:
        words: of the last sentence, the subject as ``§``, lower case; ``raw`` as written.
        last: index of the first word of its last clause.
        distance: 0, the subject stands in this sentence; 1, a pronoun does for one before;
            2, it is the answer to a question.
    """

    words: tuple[str, ...]
    raw: tuple[str, ...]
    last: int
    distance: int

    def text(self) -> str:
        """The sentence with X for its subject."""
        text = " ".join("X" if w == SUBJECT else w for w in self.raw)
        return re.sub(r" (?=['’]s\b|[^\w\s])", "", text)


@dataclass(frozen=True)
class Verdict:
    """What the words say: "asked" in so many words, "other" thing, or "open": the state decides.

    ``overlap`` is the share of the relation's content words that stand in the clause; ``why`` names
    the rule."""

    kind: str
    overlap: float = 0.0
    why: str = ""


def sentences(text: str, keep: tuple[int, int]) -> list[tuple[int, int]]:
    """Spans of the sentences; a stop inside ``keep``, the name, or after a title ends none."""
    cuts, low = [], 0
    for stop in STOP.finditer(text):
        inside = keep[0] < stop.end() and stop.start() < keep[1]
        if inside or (text[stop.start()] == "." and SHORT.search(text[: stop.start() + 1])):
            continue
        cuts.append((low, stop.end()))
        low = stop.end()
    return [*cuts, (low, len(text))]


def is_whole_name(text: str, start: int, end: int, nouns: frozenset[str]) -> bool:
    """True if the name at ``start``..``end`` is a whole one: no part of a longer name.

    ``nouns`` are words that may follow or go before it in capitals ("the Acme CEO is").
    """
    after = re.match(r"(-?)[ ]?([^\W_]+)", text[end:])
    shouting = text[start:end].isupper()
    if after and (after[1] or text[end : end + 1] == " ") and not shouting:
        word = after[2]
        if after[1] or ((word[0].isupper() or word[0].isdigit()) and word.lower() not in nouns):
            return False
    before = re.search(r"([^\W_][\w.'-]*)([ -])$", text[:start])
    if before and not shouting:
        word = before[1]
        head = text[: before.start()].rstrip(" \"'“‘(")
        opens = not head or head[-1] in ".?!:;\n"
        if before[2] == "-":
            return False
        if word[0].isupper() and not opens and word.lower() not in FUNCTION | nouns:
            return bool(SHORT.search(word)) and word[:2] != "St"
    return True


def clause_of(text: str, start: int, end: int) -> Clause | None:
    """The clause at the end of ``text``, about the name at ``start``..``end``; None if the text has
    left it: two sentences on, or one on without a pronoun."""
    spans = sentences(text, (start, end))
    home = next(i for i, (low, high) in enumerate(spans) if low <= start < high)
    rest = len(spans) - 1 - home
    if not text[spans[-1][0] :].strip() and rest:
        return None
    low = spans[home][0]
    again = re.compile(rf"(?i)(?<!\w){re.escape(text[start:end])}(?!\w)")
    lead, rear = (again.sub(SUBJECT, t) for t in (text[low:start], text[end : spans[home][1]]))
    marked = f"{lead} {SUBJECT} {rear}"
    if rest == 0:
        return _clause(marked, 0)
    final = text[spans[-1][0] : spans[-1][1]]
    if "?" in text[end : spans[home][1]] and rest <= 2:
        answer = [w for w in words_of(final) if w not in FUNCTION and w not in '":']
        question = marked[: marked.rindex("?")]
        if len(answer) <= 2 and words_of(final)[-1:] != ["."]:
            shared = set(answer) <= {w.lower() for w in words_of(question)} | {"answer"}
            return _clause(f"{question} is", 2) if shared else None
    if rest > 1 or names_in(text[end : spans[home][1]]):
        return None
    words = words_of(final)
    if not any(w in PRONOUNS or w in STANDING for w in words):
        return None
    first = next(i for i, w in enumerate(words) if w in PRONOUNS or w in STANDING)
    if any(w[:1].isupper() for w in words_of(final, keep=True)[1:first]):
        return None
    return _clause(final, 1)


def words_of(text: str, keep: bool = False) -> list[str]:
    """Words and signs of a text, in lower case unless ``keep``."""
    split = re.sub(r"(?i)n['’]t\b", " not", text)
    split = re.sub(r"(?<=[^\W\d_s])(['’]s)\b", r" \1", split)
    return TOKEN.findall(split if keep else split.lower())


def names_in(text: str) -> list[str]:
    """Capitalised words that are no first words, acronyms or the pronoun I."""
    plain = FUNCTION | CALENDAR
    words = words_of(text, keep=True)
    return [w for w in words if w[0].isupper() and not w.isupper() and w.lower() not in plain]


def stem(word: str) -> str:
    """A word without its commonest endings, so that captained and captain agree."""
    word = word.replace("'", "")
    for ending in ("ings", "ing", "ers", "er", "ors", "or", "ed", "es", "ion", "us", "ate", "s",
                   "y", "e"):  # fmt: skip
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


def content(words: Sequence[str]) -> list[str]:
    """Stems of the words that are no function words, signs or neutral ones."""
    return [
        stem(w)
        for w in words
        if w not in FUNCTION and w not in NEUTRAL and w != SUBJECT and w[0].isalnum()
    ]


def _clause(marked: str, distance: int) -> Clause:
    raw = words_of(marked, keep=True)
    out: list[str] = []
    written: list[str] = []
    seen = distance == 1
    since: list[str] = []  # words since the subject was last meant
    for word in raw:
        low = word.lower()
        swap = None
        if seen and word != SUBJECT and not names_in(" ".join(since)):
            swap = PRONOUNS.get(low) or STANDING.get(low) or ("§ 's" if low == "whose" else None)
        if swap and low in PERSONAL and _brings_in_another(since):
            swap = None
        if swap or word == SUBJECT:
            seen, since = True, []
        else:
            since.append(word)
        pieces = swap.split() if swap else [low]
        out += pieces
        written += pieces if swap else [word]
    last = 0
    for i, word in enumerate(out[:-1]):
        joins = word in ("but", "whereas", "while", "and", "so") and i and out[i - 1] == ","
        if word == ";" or (word == ":" and i < len(out) - 1) or joins:
            last = i + 1
    return Clause(tuple(out), tuple(written), last, distance)


def _brings_in_another(words: Sequence[str]) -> bool:
    """True for "has a husband", after the subject: somebody whom he or she may mean."""
    return len(words) > 2 and words[0] in ("has", "had") and words[1] in ("a", "an")


def verdict(clause: Clause, relation: Sequence[str]) -> Verdict:
    """What a clause asks of a relation with these words (its name's).

    Returns:
        "asked", "other" or "open".
    """
    noun = frozenset(content(relation))
    if not noun:
        return Verdict("open")
    words = clause.words
    tail = _without_asides(words[clause.last :])
    here = [stem(w) for w in words]
    overlap = len(noun & set(here)) / len(noun)
    why = _turned(clause, noun, head_of(relation)) or _other_kind(clause, relation, noun)
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
        if said == noun and not turned:
            return Verdict("asked", 1.0)
        aside = tail[-1:] == [","] and content(phrase)[-1:] == content(relation)[-1:]
        if turned or (said - noun and not aside):
            return Verdict("other", overlap, f"asks for the {' '.join(phrase)}")
    if further(words, noun):
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
    opens = not before or before[-1] in (",", ":", ";", "and", "but", "so", "that", "if")
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
    body = [w for i, w in enumerate(words) if not (i == len(words) - 1 and w in ("of", ":"))]
    at = next((i for i, w in enumerate(body[:-1]) if w == SUBJECT), None)
    if at is None or body[at + 1] not in ("has", "have", "had") or SUBJECT in body[at + 1 :]:
        return None
    return _noun_phrase(body[at + 2 :]) if body[at + 2 : at + 3] else None


def _without_asides(words: Sequence[str]) -> list[str]:
    """The words without what stands between two commas after the subject."""
    out = list(words)
    commas = [i for i, w in enumerate(out) if w == ","]
    if len(commas) >= 2 and SUBJECT in out[: commas[-2]] and out[-1] != ",":
        del out[commas[-2] : commas[-1] + 1]
    return out


def head_of(relation: Sequence[str]) -> str:
    """The stem of a relation's main noun: the last one before any "of"."""
    words = list(relation)
    before = words[: words.index("of")] if "of" in words[1:] else words
    return (content(before) or content(words))[-1]


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


def _turned(clause: Clause, noun: frozenset[str], head: str) -> str:
    """Why the clause is about another thing; empty if nothing says so."""
    words, raw = clause.words, clause.raw
    tail = words[clause.last :]
    stems = [stem(w) for w in words]
    bound = _bound_to_subject(words, stems, noun)
    if SUBJECT not in words:
        return "the subject has gone"
    if any(YEAR.fullmatch(w) for w in words) or OTHER_TIME & set(words):
        return "of another time"
    if any(a in ("would", "had") and b in ("be", "have", "been") for a, b in _pairs(words)):
        return "not so, but supposed"
    if MISTAKEN & set(words) or (DENIAL & set(words[-2:])):
        return "denied"
    for i, word in enumerate(words):
        near = stems[i + 1 : i + 8]
        if word in DENIAL and noun & set(near) and not bound & set(range(i)):
            return "denied"
    if clause.last and words[clause.last - 1 :][:1] and words[clause.last - 1] in (
        "but", "whereas", "while") and SUBJECT not in tail:  # fmt: skip
        return "of the other side of a contrast"
    for i, word in enumerate(words):
        if word != SUBJECT:
            continue
        before = [w for w in words[max(0, i - 3) : i] if w not in DETERMINERS]
        if before[-1:] and before[-1] in APART:
            return f"{before[-1]} the subject"
        if len(before) >= 2 and before[-1] in ("of", "with", "to") and before[-2] in RELATED | {
            "compared"}:  # fmt: skip
            return "of a related thing"
    for i in (k for k, s in enumerate(stems) if s in noun):
        lead = [w for w in words[max(0, i - 4) : i] if w not in (SUBJECT, "'s", *DETERMINERS)]
        if lead and lead[-1] in AROUND:
            return f"{lead[-1]} it"
        then = words[i + 1 : i + 3]
        if stems[i] == head and len(then) == 2 and then[1] in ("of", "is", "was", "are", ",", ":") and stem(
            then[0]) not in noun and content(then[:1]) and then[0] not in FOLLOWS_WELL:  # fmt: skip
            return f"asks for the {words[i]} {then[0]}"
    at = len(words) - 1 - words[::-1].index(SUBJECT)
    if words[at + 1 : at + 2] == ("'s",) and not noun & set(stems[at + 2 :]):
        if bound and max(bound) < at:
            return "of something that the subject has"
    others = names_in(" ".join(raw[at + 1 :]))
    if others and not bound:
        return f"of {others[-1]}"
    return _subject_of_clause(clause, noun, bound)


def _subject_of_clause(clause: Clause, noun: frozenset[str], bound: set[int]) -> str:
    """Why the clause has another grammatical subject; empty if it has not."""
    words, raw = clause.words, clause.raw
    at = words.index(SUBJECT)
    commas = [i for i, w in enumerate(words) if w == ","]
    if commas and commas[0] < at and clause.distance == 0 and not bound:
        opener = words[: commas[0]]
        closed = any(c > at for c in commas[1:])
        head = opener and opener[0] not in FUNCTION and raw[0][:1].isupper()
        if head and closed and len(opener) <= 4 and not opener[0].endswith(("ly", "ing")):
            return "of the first name"
    for i in range(at):
        if words[i] in ("that", "who", "which") and i and words[i - 1] not in FUNCTION:
            between = [w for w in words[i + 1 : at] if w not in DETERMINERS]
            if (
                1 <= len(between) <= 3
                and not noun & {stem(w) for w in words[:i]}
                and words[i - 1] != ","
            ):
                return "of what a relative clause tells of"
    return ""


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


def _pairs(words: Sequence[str]) -> list[tuple[str, str]]:
    return list(zip(words, words[1:], strict=False))
