"""A question read: its words, the names of the base in it, and what has to be explained.

A name is a run of words that is the subject or the object of a fact, the longest first. "my X" is
the node ``me/x`` where there is one, else the speaker is ``me``. Where no name is found, a pronoun
stands for what the conversation spoke of last.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from prism.mind.records import identity
from prism.mind.reflect.graph import Graph
from prism.mind.reflect.words import (
    BE,
    CONDITION,
    FIRST_PERSON,
    FUNCTION,
    GREETING,
    LIGHT,
    ORDINAL,
    POLITE,
    PRONOUNS,
    SECOND_PERSON,
    TURNING,
    Token,
    tokens,
    word_set,
)

LONGEST_NAME, LONGEST_QUESTION = 7, 120  # words
SPEAKER = "me"
MEASURES = word_set("many much old tall high long far big large heavy often deep wide fast")
DATES = word_set("day date year month")
CLAUSE_END = re.compile(r"[,;:.]\s|\s[-–—]\s")
ASKING = word_set("which what who whom where how what's who's")


@dataclass(frozen=True)
class Name:
    """A node named by the words ``[first, last]`` of a question."""

    node: str
    first: int
    last: int
    subject: bool
    object: bool
    said: str


@dataclass
class Question:
    """See the module.

    Attributes:
        names: found in it, in order.
        pronoun: it has one that could stand for a node of the conversation.
    """

    text: str
    words: list[Token]
    names: list[Name] = field(default_factory=list)
    pronoun: bool = False

    def named(self, place: int) -> bool:
        """True if a word is part of a name."""
        return any(n.first <= place <= n.last for n in self.names)

    def required(self) -> set[int]:
        """Places of the words that something must explain."""
        polite, scene = self._polite(), self._scene()
        own = {w for name in self.names for w in name.node.replace("/", " ").split()}
        found = set()
        for i, word in enumerate(self.words):
            lower = word.lower
            if self.named(i) or i in scene or (lower in own and not self.turning(i)):
                continue
            if (
                lower in SECOND_PERSON
                or self.turning(i)
                or (lower not in FUNCTION and not word.light and i not in polite)
            ):
                found.add(i)
        return found

    def asked(self) -> int | None:
        """Place of the noun that a leading "which" or "what" asks for, if it is a content word."""
        for i, word in enumerate(self.words[:-1]):
            if word.lower in ("which", "what"):
                noun = self.words[i + 1]
                plain = noun.lower in FUNCTION or noun.light or self.named(i + 1)
                return None if plain else i + 1
            if word.lower not in FUNCTION and i not in self._polite():
                return None
        return None

    def wants_a_number(self) -> bool:
        """True if it asks when, on which day, how many or how long."""
        pairs = pairwise([*(w.lower for w in self.words), ""])
        return any(
            (i == 0 and word == "when")
            or (word == "how" and after in MEASURES)
            or (word in ("what", "which") and after in DATES)
            or (word == "number" and after == "of")
            for i, (word, after) in enumerate(pairs)
        )

    def turning(self, i: int) -> bool:
        """True if a word may turn what it stands before into another thing."""
        word = self.words[i].lower
        if word in ("used", "use") and self._at(i + 1) == "to":
            return self._at(i - 1) not in BE and self._at(i + 2) not in ("pay", "buy")
        if word in ORDINAL:  # "the first president", but "dial first", "who first isolated it"
            after = self._at(i + 1)
            if after in ("day", "days", "times"):  # "in the old days"
                return word == "old"
            return bool(after) and after not in FUNCTION and not after.endswith("ed")
        if word in ("give", "gave", "gives", "given"):
            return self._at(i + 1) == "up"
        return word in TURNING

    def _at(self, place: int) -> str:
        return self.words[place].lower if 0 <= place < len(self.words) else ""

    def _polite(self) -> set[int]:
        """Polite words around the question ("do you know")."""
        return {i for i, word in enumerate(self.words) if word.lower in POLITE}

    def _scene(self) -> set[int]:
        """A leading clause that only sets the scene: it speaks of the speaker or of a condition,
        names something, and the question follows ("If I travel to X, what ...")."""
        opening = next((w.lower for w in self.words if w.lower not in POLITE | GREETING), "")
        if opening not in CONDITION:
            return set()
        for mark in CLAUSE_END.finditer(self.text):
            after = next((w.lower for w in self.words if w.start >= mark.end()), "")
            clause = {i for i, word in enumerate(self.words) if word.end <= mark.start()}
            if after in ASKING and any(self.named(i) for i in clause):
                return clause
        return set()


# "What does my wife do?" asks for her job.
DOING = re.compile(r"^(what\s+(?:does|did|do)\s+.+?)\s+do(?=\s*[?.!]*$)", re.IGNORECASE)


def read(text: str, graph: Graph) -> Question:
    """A question with its names.

    Args:
        text: what was asked.
        graph: facts whose names are looked for.
    """
    text = DOING.sub(r"\1 do as a profession", text)
    words = tokens(text)[:LONGEST_QUESTION]
    question = Question(text, words)
    question.names = _names(text, words, graph)
    if all(name.node == SPEAKER for name in question.names):
        question.names += _shortened(question, graph)
    question.pronoun = any(w.lower in PRONOUNS for w in words)
    return question


@dataclass(frozen=True)
class Several:
    """Words of a question that several things are called by.

    Attributes:
        said: the words.
        names: of the things, in full.
        questions: the question about each.
    """

    said: str
    names: tuple[str, ...]
    questions: tuple[str, ...]


def namesakes(text: str, graph: Graph) -> Several | None:
    """The first name in a question that several names begin with: "Anna" of Anna Weber and Anna
    Kovacs; None where there is none, or the question has the whole name."""
    words = tokens(text)[:LONGEST_QUESTION]
    shouted = text.lower() == text  # all of it in small letters: any word may be a name
    for first, word in enumerate(words):
        near = [words[i].text[0].isupper() for i in (first - 1, first + 1) if 0 < i < len(words)]
        if word.lower in FUNCTION or not (shouted or word.text[0].isupper()) or any(near):
            continue
        names = graph.called(word.text)
        if len(names) < 2:
            continue
        known = read(text, graph)
        if known.named(first) or (shouted and any(n.node != SPEAKER for n in known.names)):
            continue
        return _several(text, word.text, word.start, word.end, names)
    return None


def alike(text: str, graph: Graph) -> Several | None:
    """Somebody of the speaker's of whom there are several, "my brother" of two, in a question about
    him; None where there is none."""
    words, own = tokens(text)[:LONGEST_QUESTION], graph.ahead([SPEAKER])
    for first, word in enumerate(words):
        for last in range(first + 1, min(first + 4, len(words))):
            run = text[words[first + 1].start : words[last].end]
            mine = [e for e in own if e.fact is not None and e.relation == identity(run)]
            if word.lower in ("my", "our") and len(mine) > 1:
                names = [edge.shown for edge in mine]
                return _several(text, f"{word.text} {run}", word.start, words[last].end, names)
    return None


def _several(text: str, said: str, start: int, end: int, names: Sequence[str]) -> Several:
    return Several(said, tuple(names), tuple(text[:start] + n + text[end:] for n in names))


def _names(text: str, words: list[Token], graph: Graph) -> list[Name]:
    spans: dict[tuple[int, int], list[str]] = {}
    for first in range(len(words)):
        for last in range(first, min(first + LONGEST_NAME, len(words))):
            if words[last].lower == "'s":
                continue
            spans[first, last] = _spellings(text, words, first, last)
    mine = _speaker(words)
    wanted = {name for names in [*spans.values(), *mine.values()] for name in names}
    wanted |= {SPEAKER}
    subjects = graph.named(wanted, "subject_id")
    objects = graph.named(wanted, "object_id")
    found: list[Name] = []
    order = sorted([*mine, *spans], key=lambda span: (span[0] - span[1], span not in mine, span))
    for first, last in order:
        if any(n.first <= last and first <= n.last for n in found):
            continue
        for name in [*mine.get((first, last), ()), *spans.get((first, last), ())]:
            if name in subjects or name in objects:
                if first == last and not _a_name(words, first, name == SPEAKER):
                    continue
                said = text[words[first].start : words[last].end]
                found.append(Name(name, first, last, name in subjects, name in objects, said))
                break
    return sorted(found, key=lambda n: n.first)


def _shortened(question: Question, graph: Graph) -> list[Name]:
    """Things called by the end of their name, where one thing alone has it: "the choir" is
    ``me/choir``, "Grumbold" is "wizard Grumbold"."""
    ends: dict[str, set[str]] = {}
    for node in graph.subjects():
        own = node.rpartition("/")[2].split()
        for first in range(len(own)):
            ends.setdefault(" ".join(own[first:]), set()).add(node)
    found: list[Name] = []
    words = question.words
    for length in range(min(LONGEST_NAME, len(words)), 0, -1):
        for first in range(len(words) - length + 1):
            last = first + length - 1
            text = question.text[words[first].start : words[last].end]
            nodes = ends.get(identity(text), set())
            if len(nodes) != 1 or any(n.first <= last and first <= n.last for n in found):
                continue
            if length > 1 or _a_name(words, first, False):
                found.append(Name(next(iter(nodes)), first, last, True, False, text))
    return sorted(found, key=lambda name: name.first)


def _spellings(text: str, words: list[Token], first: int, last: int) -> list[str]:
    """Identities that a run of words may have: as it stands, with what touches it (".fr")."""
    start, end = words[first].start, words[last].end
    found = [identity(text[start:end])]
    wide, far = start, end
    while wide and not text[wide - 1].isspace() and text[wide - 1] not in "\"'“‘(":
        wide -= 1
    while far < len(text) and not text[far].isspace() and text[far] not in "?!,;:\"'”’)":
        far += 1
    for other in {text[wide:end], text[start:far], text[wide:far]}:
        if other.strip() and (name := identity(other)) not in found:
            found.append(name)
    return found


def _speaker(words: list[Token]) -> dict[tuple[int, int], list[str]]:
    """Runs that begin with "my": the nodes ``me/x``, ``me/x y``, ``me/x/y`` that they may name."""
    found: dict[tuple[int, int], list[str]] = {}
    for first, word in enumerate(words):
        if word.lower in ("my", "our"):
            rest: list[str] = []
            for last in range(first + 1, min(first + 6, len(words))):
                if words[last].lower != "'s":
                    rest.append(words[last].lower)
                    joined = {" ".join(rest), "/".join(rest), "-".join(rest)}
                    found[first, last] = sorted(f"{SPEAKER}/{name}" for name in joined)
        if word.lower in FIRST_PERSON:
            found[first, first] = [SPEAKER]
    return found


def _a_name(words: list[Token], place: int, speaker: bool) -> bool:
    """True if a single word may be a name: it is no word of a closed class, unless it is written as
    a name inside the sentence ("the element In")."""
    word = words[place]
    if speaker:
        return True
    if word.lower in FUNCTION or word.lower in POLITE or word.lower in LIGHT:
        return place > 0 and word.text[0].isupper() and word.text not in ("I", "I'm", "I'd")
    return True


def meant(question: Question, graph: Graph, context: Sequence[str]) -> list[Name]:
    """Things that the first pronoun may stand for: known ones spoken of, the latest first."""
    place = next(i for i, w in enumerate(question.words) if w.lower in PRONOUNS)
    nodes = [identity(name) for name in context]
    known, objects = graph.named(nodes, "subject_id"), graph.named(nodes, "object_id")
    return [
        Name(node, place, place, node in known, node in objects, said)
        for node, said in zip(nodes, context, strict=True)
        if node in known or node in objects
    ]
