"""Clause at the end of a text, about a name: its words, the subject as ``§``.

The pronouns that stand for the subject are written ``§`` too, so "X's capital", "its capital" after
a sentence about X, and "whose capital" all read alike. A name is one only if it ends where its noun
phrase ends: X Heights, X Pro, X 10, Lower X and X-D are other names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

SUBJECT = "§"
TOKEN = re.compile(r"§|['’]s\b|[^\W_]+(?:[-'’.][^\W_]+)*|[^\w\s]")
STOP = re.compile(r"[.?!][\"'”’)]*\s+(?=[\"'“(]*[A-Z0-9§])|[.?!]+[\"'”’)]*\s+(?=\S)|\n")
SHORT = re.compile(r"(?:\b[A-Za-z]|\b(?:vs|Mr|Mrs|Ms|Dr|St|No|Prof|Inc|Ltd|Co))\.$")


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\S+", text))


# stand before a noun phrase
DETERMINERS = _words("a an any her his its my our that the their these this those your")
# govern one
PREPOSITIONS = _words(
    "about after against as at before behind between by during for from in inside into like "
    "near of on onto over since than through to under until with within"
)
# stand before a value
COPULAS = _words("'s : are be been being called is named was were ’s")
# may stand between those and the value
FILLERS = _words(
    "a about almost also an approximately around as at called currently exactly just known "
    "named namely nearly now only precisely roughly simply some still the today"
)
# pronouns, auxiliaries, conjunctions
FUNCTION = (
    DETERMINERS
    | PREPOSITIONS
    | COPULAS
    | FILLERS
    | _words(
        "although and answer because but can could did do does down had has have he here him how "
        "i if it it's may me might must no not off ok or out own please q question s say shall "
        "she should so tell them then there they though unless up us we what what's when where "
        "whereas which while who who's whom whose why will would you yes well"
    )
)
# the value of another time
OTHER_TIME = _words(
    "ago coming earlier erstwhile ex former formerly future later next once original "
    "originally previous previously upcoming"
)
# before a noun: another one of its kind
OTHER_ONE = _words(
    "acting another assistant associate co deputy different first honorary interim junior "
    "last late minimum new old opposite other parent rival same second second-highest "
    "second-largest sub third vice would-be"
)
# things that are related to the subject, and are not it
RELATED = _words(
    "ally assistant aunt branch brother competitor cousin daughter enemy father friend husband "
    "mother neighbor neighbour nephew niece opponent owner parent partner predecessor relative "
    "rival rivals sister son subsidiary successor twin uncle widow widower wife"
)
# deny
DENIAL = _words("cannot n't never not")
# say that it is not so
MISTAKEN = _words("falsely incorrectly mistakenly supposedly wrongly")
# set the subject apart
APART = _words("beat besides despite except not own owned owns than unlike versus")
# pronouns of persons
PERSONAL = _words("he her his she whose")
# before a noun: they change nothing
NEUTRAL = _words(
    "actual city current exact following full local name official one only overall own precise "
    "present single sole total very"
)
# capitalised, and no names
CALENDAR = _words(
    "april august december february friday fridays january july june march may monday "
    "mondays november october saturday saturdays september sunday sundays thursday tuesday "
    "wednesday"
)
# before a noun: the value is not the one told
AROUND = _words("after before despite without twice half double")
# after a noun: the capital city
FOLLOWS_WELL = _words("city name number")
# stand for the subject: as its owner, and as itself
PRONOUNS = {"its": "§ 's", "his": "§ 's", "her": "§ 's", "their": "§ 's"}
STANDING = {"it": "§", "he": "§", "she": "§", "they": "§", "it's": "§ is", "its'": "§ 's"}


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
        answer = [w for w in words_of(final) if w not in FUNCTION and w[0].isalnum()]
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


def head_of(relation: Sequence[str]) -> str:
    """The stem of a relation's main noun: the last one before any "of"."""
    words = list(relation)
    before = words[: words.index("of")] if "of" in words[1:] else words
    return (content(before) or content(words))[-1]


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
    """True for "has a husband", and "'s wife said", after the subject: somebody whom he or she may
    mean."""
    if words[:1] in (["'s"], ["’s"]):
        return len(words) > 2 and words[1] in RELATED
    return len(words) > 2 and words[0] in ("has", "had") and words[1] in ("a", "an")
