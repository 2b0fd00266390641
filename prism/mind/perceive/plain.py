"""Statements without a parser: the reduced mode, four forms with "is", read word by word.

    the R of X is O      my R is O      X's R is O      O is the R of X

Everything else needs spaCy, or ``/remember s | r | o``. The guards that need no parse hold here
too: a negation, a modal, a hedge or a condition anywhere in the sentence and nothing is stored.
"""

from __future__ import annotations

import re

from prism.mind.perceive import lexicon
from prism.mind.perceive.phrases import Triple

WORDS = r"[\w'&.+-]+(?: [\w'&.+-]+){0,4}?"
FORMS = (
    re.compile(rf"^the (?P<r>{WORDS}) of (?P<s>{WORDS}) is (?:the )?(?P<o>[^,;]+)$", re.I),
    re.compile(rf"^(?P<s>{WORDS})'s (?P<r>{WORDS}) is (?:called |named )?(?P<o>[^,;]+)$", re.I),
    re.compile(rf"^my (?P<r>{WORDS}) is (?:called |named )?(?P<o>[^,;]+)$", re.I),
    re.compile(rf"^(?P<o>{WORDS}) is the (?P<r>{WORDS}) of (?P<s>{WORDS})$", re.I),
)
BOUNDED = lexicon.pattern("bounded")
OPEN = lexicon.NEGATIVE | lexicon.MODALS | lexicon.HEDGES | lexicon.DOUBT | lexicon.PAST


def facts(sentence: str) -> tuple[list[Triple], str | None]:
    """The facts of a sentence, and why it holds none, or None."""
    text = sentence.strip().rstrip(".!")
    words = set(re.findall(r"[a-z']+", text.lower()))
    if found := words & OPEN:
        return [], f"not vouched for: {min(found)}"
    if bound := BOUNDED.search(text):
        return [], f"for a time only: {bound[0]}"
    for form in FORMS:
        if match := form.match(text):
            fields = match.groupdict()
            subject = _path(fields.get("s") or "me")
            return [Triple(subject, fields["r"].lower(), fields["o"].strip(" \"'"))], None
    return [], None


def _path(name: str) -> str:
    """A subject without "my": "my sister" is me/sister."""
    head, _, rest = name.partition(" ")
    return f"me/{rest}" if head.lower() in ("my", "our") and rest else name
