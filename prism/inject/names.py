"""Known names: where they stand in a text that is still being written, and in a fact's sentence.

A name is a run of whole words. It is found as it was given, with another first letter (gold,
Gold), or with one letter wrong: a deletion, an insertion, a substitution or a swap (Damerau 1964),
looked up through the strings with one letter left out (the symmetric-delete method), so a lookup
costs as much with ten names as with ten thousand. A word that the tokenizer knows as one token is
a word, never a misspelling (Iceland is not Ireland); a misspelling of two known names is of none.

The subject of a fact that is given as a sentence is the longest known name in it, else its last run
of capitalised words; the sentence with the subject left out is a wording of its relation.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from prism.data.tokens import Tokenizer
from prism.holo.keys.typos import deletions, one_letter_apart

WORD = re.compile(rb"[A-Za-z0-9\x80-\xff]+")
CAPITALS = re.compile(r"[A-Z][\w-]*(?: [A-Z][\w-]*)*")
WORDS = re.compile(r"[\w-]+")
SLOT = "{}"  # place of the subject in a wording
SHORTEST_TYPO = 5  # letters a name needs before one of them may be wrong
LOOKBACK = 2048  # bytes before the question in which its subject is looked for


@dataclass(frozen=True)
class Mention:
    """Tokens ``first``..``last`` name ``subject``; None when it is a name nobody bound.

    ``how`` is "name", "typo" or "unknown".
    """

    first: int
    last: int
    subject: str | None
    text: str
    how: str


class Names:
    """The known names, each pointing to a subject."""

    def __init__(self) -> None:
        self._given: dict[bytes, str] = {}
        self._exact: dict[bytes, str] = {}
        self._near: dict[bytes, set[bytes]] = {}
        self.max_words = 1

    def __contains__(self, name: str) -> bool:
        return name.encode() in self._given

    def add(self, name: str, subject: str) -> None:
        """Let ``name`` stand for ``subject``.

        Raises:
            ValueError: the name holds no word, or stands for another subject already.
        """
        self.check(name, subject)
        form = name.encode()
        self._given[form] = subject
        self._exact[form] = subject  # a name that was given comes before another one's capital
        self._exact.setdefault(_capital(form), subject)
        for spelt in {form, _capital(form)}:
            for key in deletions(spelt):
                self._near.setdefault(key, set()).add(spelt)
        self.max_words = max(self.max_words, len(WORD.findall(form)))

    def check(self, name: str, subject: str) -> None:
        """Raises:
        ValueError: ``name`` cannot stand for ``subject``; see :meth:`add`."""
        if not WORD.search(name.encode()):
            raise ValueError(f"name {name!r}: must hold at least one letter or digit")
        before = self._given.get(name.encode(), subject)
        if before != subject:
            raise ValueError(f"name {name!r}: stands for {before!r} already")

    def remove(self, subject: str) -> None:
        """Forget every name of ``subject``."""
        self._given = {f: s for f, s in self._given.items() if s != subject}
        for form in [f for f, s in self._exact.items() if s == subject]:
            del self._exact[form]
            for key in deletions(form):
                self._near[key].discard(form)
                if not self._near[key]:
                    del self._near[key]

    def exact(self, text: bytes) -> str | None:
        """The subject that ``text`` names letter by letter."""
        return self._exact.get(text)

    def misspelt(self, text: bytes) -> str | None:
        """The one subject whose name is one letter away from ``text``."""
        if len(text) < SHORTEST_TYPO:
            return None
        near = {f for key in deletions(text) for f in self._near.get(key, ())}
        subjects = {self._exact[f] for f in near if f[:1] == text[:1] and one_letter_apart(f, text)}
        return subjects.pop() if len(subjects) == 1 else None


class Transcript:
    """The bytes of a growing sequence of tokens, and the names in its last stretch."""

    def __init__(self, names: Names, tokenizer: Tokenizer) -> None:
        self._names, self._tokenizer = names, tokenizer
        self._text = bytearray()
        self._ends: list[int] = []

    def __len__(self) -> int:
        return len(self._ends)

    def append(self, token: int) -> None:
        """Read one more token."""
        self._text += self._tokenizer.piece(token)
        self._ends.append(len(self._text))

    def recent(self) -> str:
        """The last ``LOOKBACK`` bytes."""
        return bytes(self._text[-LOOKBACK:]).decode(errors="replace")

    def mentions(self) -> list[Mention]:
        """Names in the last ``LOOKBACK`` bytes, in order; the longest at each place.

        A capitalised word that is no known name is a mention of something unknown, so that a
        question about an unknown name is not taken for one about a known one nearby.
        """
        low = max(0, len(self._text) - LOOKBACK)
        text = bytes(self._text[low:])
        words = [m.span() for m in WORD.finditer(text)]
        mentions, i = [], 0
        while i < len(words):
            mention, used = self._longest(text, words, i, low)
            if mention is not None:
                mentions.append(mention)
            i += used
        return mentions

    def _longest(
        self, text: bytes, words: list[tuple[int, int]], i: int, low: int
    ) -> tuple[Mention | None, int]:
        start = words[i][0]
        for j in range(min(len(words), i + self._names.max_words) - 1, i - 1, -1):
            name = text[start : words[j][1]]
            first, last = self._tokens(start + low, words[j][1] + low)
            subject, how = self._names.exact(name), "name"
            if subject is None and last - first + 1 > j - i + 1:
                subject, how = self._names.misspelt(name), "typo"
            if subject is not None:
                return Mention(first, last, subject, name.decode(errors="replace"), how), j - i + 1
        word = text[slice(*words[i])]
        before = text[:start].rstrip(b" \"'(")
        opens = not before or before[-1:] in b".?!:;\n"  # capitalised for standing at the front
        if word[:1].isupper() and not opens:
            first, last = self._tokens(words[i][0] + low, words[i][1] + low)
            return Mention(first, last, None, word.decode(errors="replace"), "unknown"), 1
        return None, 1

    def _tokens(self, start: int, end: int) -> tuple[int, int]:
        """First and last token of the bytes ``start``..``end``."""
        return bisect_right(self._ends, start), bisect_left(self._ends, end)


def subject_of(prompt: str, names: Names) -> str:
    """The subject of a sentence.

    Raises:
        ValueError: no known name and no capitalised word after the first.
    """
    words = [m.span() for m in WORDS.finditer(prompt)]
    spans = [(a, b) for i, (a, _) in enumerate(words) for _, b in words[i:]]
    for low, high in sorted(spans, key=lambda s: s[0] - s[1]):
        subject = names.exact(prompt[low:high].encode())
        if subject is not None:
            return subject
    runs = [m.group() for m in CAPITALS.finditer(prompt) if m.start() > 0]
    if not runs:
        raise ValueError(
            f"prompt {prompt!r}: no subject found; use bind(subject, relation, object)"
        )
    return runs[-1]


def wording_of(prompt: str, subject: str) -> str:
    """The sentence with the subject left out."""
    at = prompt.lower().rfind(subject.lower())
    return (prompt[:at] + SLOT + prompt[at + len(subject) :]).strip()


def _capital(name: bytes) -> bytes:
    return name[:1].upper() + name[1:]
