"""Known names: where they stand in a text that is still being written, and in a fact's sentence.

A name is a run of whole words. It is found as it was given but for its spaces and its Unicode form
(:func:`prism.holo.keys.normal.normal_text`), with another first letter (gold, Gold), or with one
key press wrong in a long word (:func:`prism.holo.keys.typos.is_slip`), looked up through the
strings with one letter left out (the symmetric-delete method), so a lookup costs as much with ten
names as with ten thousand. A word that the tokenizer knows as one token is a word, never a
misspelling (Iceland is not Ireland), and so is a word of another known name; a misspelling of two
known names is of none.

The subject of a fact that is given as a sentence is the longest known name in it, else its last run
of capitalised words; the sentence with the subject left out is a wording of its relation.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass

from prism.data.tokens import Tokenizer
from prism.holo.keys.normal import normal_text
from prism.holo.keys.typos import LONG, deletions, fold, is_slip

SPACE = rb"\xc2\xa0|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xaf]|\xe2\x81\x9f|\xe3\x80\x80"  # beyond ASCII
WORD = re.compile(rb"(?:[A-Za-z0-9]|(?!" + SPACE + rb")[\xc2-\xf4][\x80-\xbf]*)+")
LOOSE = re.compile(rb"[\x80-\xff]|\s\s|[\t\n\r\f\v]|^\s|\s$")  # may be spelt in another way
CAPITALS = re.compile(r"[A-Z][\w-]*(?: [A-Z][\w-]*)*")
WORDS = re.compile(r"[\w-]+")
ENDS = re.compile(rb"(?:[A-Za-z']+|[^\s\w])$")
OPENERS = frozenset(
    b"is was are were be been 's it's called named by in on at to of for with from as than about "
    b"only just around roughly : ,".split()
)
ARTICLE = re.compile(rb"(?:[Tt]he|[Aa]n?) (?=.)")
SLOT = "{}"  # place of the subject in a wording
OPENING = 64  # bytes before a word that tell whether it opens a sentence
LOOKBACK = 2048  # bytes before the question in which its subject is looked for


@dataclass(frozen=True)
class Mention:
    """Tokens ``first``..``last`` name ``subject``; None when it is a name nobody bound.

    ``how`` is "name", "typo" or "unknown"; ``start`` is the byte where it begins.
    """

    first: int
    last: int
    subject: str | None
    text: str
    how: str
    start: int = 0


class Names:
    """The known names, each pointing to a subject."""

    def __init__(self) -> None:
        self._given: dict[bytes, str] = {}
        self._exact: dict[bytes, str] = {}
        self._near: dict[str, set[bytes]] = {}
        self._folded: dict[bytes, set[str]] = {}
        self._words: Counter[str] = Counter()  # of the names, without case
        self.max_words = 1
        self.revision = 0  # grows with every change

    def __contains__(self, name: str) -> bool:
        return _spelt(name.encode()) in self._given

    def add(self, name: str, subject: str) -> None:
        """Let ``name`` stand for ``subject``.

        Raises:
            ValueError: the name holds no word, or stands for another subject already.
        """
        self.check(name, subject)
        self.revision += 1
        form = _spelt(name.encode())
        if form not in self._given:
            self._words.update(_words(form))
        self._given[form] = subject
        self._exact[form] = subject  # a name that was given comes before another one's capital
        self._exact.setdefault(_capital(form), subject)
        bare = ARTICLE.sub(b"", form, count=1) if ARTICLE.match(form) else form
        for spelt in {form, bare}:
            self._folded.setdefault(_folded(spelt), set()).add(subject)
        for spelt in {form, _capital(form)}:
            for key in deletions(spelt.decode()):
                self._near.setdefault(key, set()).add(spelt)
        self.max_words = max(self.max_words, len(WORD.findall(form)))

    def check(self, name: str, subject: str) -> None:
        """Raises:
        ValueError: ``name`` cannot stand for ``subject``; see :meth:`add`."""
        if not WORD.search(name.encode()):
            raise ValueError(f"name {name!r}: must hold at least one letter or digit")
        before = self._given.get(_spelt(name.encode()), subject)
        if before != subject:
            raise ValueError(f"name {name!r}: stands for {before!r} already")

    def remove(self, subject: str) -> None:
        """Forget every name of ``subject``."""
        self.revision += 1
        for form in [f for f, s in self._given.items() if s == subject]:
            self._words.subtract(_words(form))
            del self._given[form]
        for folded in [f for f, s in self._folded.items() if subject in s]:
            self._folded[folded].discard(subject)
            if not self._folded[folded]:
                del self._folded[folded]
        for form in [f for f, s in self._exact.items() if s == subject]:
            del self._exact[form]
            for key in deletions(form.decode()):
                self._near[key].discard(form)
                if not self._near[key]:
                    del self._near[key]

    def exact(self, text: bytes) -> str | None:
        """The subject that ``text`` names letter by letter, up to the spelling of its spaces."""
        return self._exact.get(_spelt(text))

    def same(self, subject: str) -> str:
        """The known subject that this is but for an article before it; else ``subject``."""
        text = _spelt(subject.encode())
        bare = ARTICLE.sub(b"", text, count=1)
        for form in (text, bare, b"the " + bare, b"The " + bare):
            if form in self._given:
                return self._given[form]
        return subject

    def folded(self, text: bytes) -> str | None:
        """The one subject that ``text`` names in other capitals, or without the article."""
        subjects = self._folded.get(_folded(_spelt(text)), ())
        return next(iter(subjects)) if len(subjects) == 1 else None

    def misspelt(self, text: bytes) -> str | None:
        """The one subject whose name is one wrong key press away from ``text``, if what was typed
        is no word of a known name."""
        if len(text) < LONG - 1:
            return None
        typed = _spelt(text).decode(errors="replace")
        forms = {form for key in deletions(typed) for form in self._near.get(key, ())}
        subjects = {self._exact[f] for f in forms if self._slip(typed, f.decode())}
        return subjects.pop() if len(subjects) == 1 else None

    def _slip(self, typed: str, name: str) -> bool:
        if typed.casefold() == name.casefold() or not is_slip(typed, name):
            return False
        others = set(_words(typed.encode())) - set(_words(name.encode()))
        return not any(self._words[word] for word in others)


class Transcript:
    """The bytes of a growing sequence of tokens, and the names in its last stretch."""

    def __init__(self, names: Names, tokenizer: Tokenizer) -> None:
        self._names, self._tokenizer = names, tokenizer
        self._text = bytearray()
        self._ends: list[int] = []
        self._found: list[Mention] = []  # in the text up to the byte ``_done``, which is settled
        self._done, self._revision = 0, names.revision

    def __len__(self) -> int:
        return len(self._ends)

    def append(self, token: int) -> None:
        """Read one more token."""
        self._text += self._tokenizer.piece(token)
        self._ends.append(len(self._text))

    def tail(self) -> str:
        """The last few letters."""
        return bytes(self._text[-16:]).decode(errors="replace")

    def since(self, token: int) -> str:
        """The text from a token on."""
        return bytes(self._text[self._ends[token - 1] if token else 0 :]).decode(errors="replace")

    def recent(self) -> str:
        """The last ``LOOKBACK`` bytes."""
        return bytes(self._text[-LOOKBACK:]).decode(errors="replace")

    def place(self) -> str:
        """Kind of place that the text has come to: "slot" after a word or sign like "is", where a
        value may follow; "stop" after the end of a sentence; else "inside"."""
        tail = self.tail().encode().rstrip()
        if tail.rstrip(b"\"')")[-1:] in b".!?;":
            return "stop"
        last = ENDS.search(tail)
        return "slot" if last is not None and last.group().lower() in OPENERS else "inside"

    def around(self, mention: Mention) -> tuple[str, int, int]:
        """The text of the last ``LOOKBACK`` bytes, and where in it a mention begins and ends."""
        low = max(0, len(self._text) - LOOKBACK)
        start = mention.start - low
        before = bytes(self._text[low : low + start]).decode(errors="replace")
        return self.recent(), len(before), len(before) + len(mention.text)

    def mentions(self) -> list[Mention]:
        """Names in the last ``LOOKBACK`` bytes, in order; the longest at each place.

        A capitalised word that is no known name is a mention of something unknown, so that a
        question about an unknown name is not taken for one about a known one nearby.
        """
        if self._revision != self._names.revision:
            self._found, self._done, self._revision = [], 0, self._names.revision
        oldest = max(0, len(self._text) - LOOKBACK)
        low = max(0, max(self._done, oldest) - OPENING)
        text = bytes(self._text[low:])
        words = [m.span() for m in WORD.finditer(text)]
        i = next((i for i, w in enumerate(words) if w[0] + low >= self._done), len(words))
        settled = len(words) - self._names.max_words  # the last word may still grow
        mentions: list[Mention] = []
        while i < len(words):
            mention, used = self._longest(text, words, i, low)
            found = self._found if i < settled else mentions
            if mention is not None:
                found.append(mention)
            if i < settled:
                self._done = words[i + used - 1][1] + low
            i += used
        self._found = [m for m in self._found if m.start >= oldest]
        return [*self._found, *(m for m in mentions if m.start >= oldest)]

    def _longest(
        self, text: bytes, words: list[tuple[int, int]], i: int, low: int
    ) -> tuple[Mention | None, int]:
        start = words[i][0]
        for j in range(min(len(words), i + self._names.max_words) - 1, i - 1, -1):
            name = text[start : words[j][1]]
            first, last = self._tokens(start + low, words[j][1] + low)
            subject, how = self._names.exact(name), "name"
            if subject is None and (j > i or last > first):  # one token is a word of its own
                subject = self._names.folded(name)
            if subject is None and last - first + 1 > j - i + 1:
                subject, how = self._names.misspelt(name), "typo"
            if subject is not None:
                text_ = name.decode(errors="replace")
                return Mention(first, last, subject, text_, how, start + low), j - i + 1
        word = text[slice(*words[i])]
        before = text[:start].rstrip(b" \"'(")
        opens = not before or before[-1:] in b".?!:;\n"  # capitalised for standing at the front
        if word[:1].isupper() and not opens:
            first, last = self._tokens(words[i][0] + low, words[i][1] + low)
            text_ = word.decode(errors="replace")
            return Mention(first, last, None, text_, "unknown", words[i][0] + low), 1
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


def fill_in(wording: str, subject: str) -> str:
    """The wording about ``subject``, starting with a capital letter."""
    text = wording.replace(SLOT, subject)
    return text[0].upper() + text[1:]


def _capital(name: bytes) -> bytes:
    return name[:1].upper() + name[1:]


def _folded(name: bytes) -> bytes:
    return name.decode(errors="replace").casefold().encode()


def _spelt(text: bytes) -> bytes:
    """The one spelling of a name: NFC, single spaces."""
    if not LOOSE.search(text):
        return text
    return normal_text(text.decode(errors="replace")).encode()


def _words(name: bytes) -> list[str]:
    """Words of a name, without case."""
    return [fold(word.decode(errors="replace")) for word in WORD.findall(name)]
