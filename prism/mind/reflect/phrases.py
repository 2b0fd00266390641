"""Reading by dependencies: the order of a path's steps against the tree of the sentence.

In "the hobby of the mayor of the capital of X" each relation's word is farther from X in the tree
than the one before. Of the paths that explain the question the reading votes for the one with the
fewest steps that come nearer instead, if it has none. spaCy with a small English model, optional.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from prism.mind.perceive import parser
from prism.mind.reflect.graph import Graph
from prism.mind.reflect.question import Question
from prism.mind.reflect.relations import PART, Mention, Vocabulary
from prism.mind.reflect.search import Found, Path, search

COMPARED = 12  # paths
LOOSE_TAGS = ("RB", "RP", "IN", "UH")


@dataclass(frozen=True)
class Parsed:
    """Token of a parse, kept when spaCy has forgotten the sentence.

    Attributes:
        start, end: of its characters.
        head: number of the token it hangs on; its own at the root.
        tag: part of speech, of the Penn treebank.
        text: in small letters.
    """

    start: int
    end: int
    head: int
    tag: str
    text: str


class PhraseReading:
    """See the module.

    Raises:
        prism.mind.perceive.parser.Missing: spaCy or its model; says how to install it.
    """

    name = "phrases"

    def __init__(self) -> None:
        parser.load()
        self._last: tuple[str, list[Parsed]] = ("", [])

    def _parse(self, question: Question) -> list[Parsed]:
        if self._last[0] != question.text:
            with parser.zone():
                rows = [
                    Parsed(t.idx, t.idx + len(t), t.head.i, t.tag_, t.lower_)
                    for t in parser.load()(question.text)
                ]
            self._last = (question.text, rows)
        return self._last[1]

    def forget(self) -> None:
        """Keep nothing of the questions that were read."""
        self._last = ("", [])

    def extend(
        self,
        question: Question,
        mentions: Sequence[Mention],
        found: Found,
        graph: Graph,
        vocabulary: Vocabulary,
    ) -> Found:
        """Paths that leave only verbs, adverbs and adjuncts unexplained, where none is complete, if
        the last step is named by a word of its own: "the currency that *circulates* in X", "what
        money do I need *in my wallet* in X"."""
        if found.paths or not found.near:
            return found
        parsed = self._parse(question)
        verbs = _loose(question, parsed)
        if not any(missing <= verbs for _, missing in found.near):
            return found
        more = search(question, mentions, graph, optional=verbs)
        more.paths = [path for path in more.paths if _named(path, question)]
        return more if more.paths else found

    def choose(self, question: Question, found: Found) -> Path | None:
        """As :meth:`prism.mind.reflect.readings.Reading.choose`."""
        if not found.paths:
            return None
        tree = _Tree(question, self._parse(question))
        shapes: dict[tuple, Path] = {}
        for path in found.paths:
            shapes.setdefault((path.start.node, path.shape), path)
        judged = [
            (tree.turns(path), -found.scores[path], i, path)
            for i, path in enumerate(list(shapes.values())[:COMPARED])
        ]
        judged.sort(key=lambda row: row[:3])
        (turns, score, _, best), *others = judged
        level = [p for t, s, _, p in others if (t, s) == (turns, score)]
        if turns or any(p.edges[-1].end != best.edges[-1].end for p in level):
            return None
        return best


def _loose(question: Question, parsed: Sequence[Parsed]) -> frozenset[int]:
    """Places of the words that say how, when or where: verbs, adverbs, particles, and noun phrases
    under a preposition other than "of" without a name; none that turns a thing into another."""
    names = {
        question.words[p].start for name in question.names for p in range(name.first, name.last + 1)
    }
    starts = {token.start for token in parsed if token.tag in LOOSE_TAGS or token.tag[:2] == "VB"}
    for i, token in enumerate(parsed):
        if token.tag != "IN" or token.text == "of":
            continue
        below = [t for j, t in enumerate(parsed) if j != i and _under(j, i, parsed)]
        if any(t.start in names or t.tag in ("WDT", "WP", "WP$") for t in below):
            continue
        starts |= {t.start for t in below if t.tag[:2] in ("NN", "JJ", "VB")}
    return frozenset(
        i
        for i, word in enumerate(question.words)
        if word.start in starts and not question.turning(i)
    )


def _under(token: int, above: int, parsed: Sequence[Parsed]) -> bool:
    """True if a token hangs on another, through any number of others."""
    while parsed[token].head != token:
        token = parsed[token].head
        if token == above:
            return True
    return False


def _named(path: Path, question: Question) -> bool:
    """True if the last step has a word of its own, which is no noun for any thing of a kind."""
    last = path.mentions[-1]
    if last is None or last.guess or last.hint or last.weight < PART:
        return False
    return not all(question.words[p].of_a_kind for p in last.places)


class _Tree:
    """Distances in the dependency tree of a question."""

    def __init__(self, question: Question, parsed: Sequence[Parsed]) -> None:
        self._of_word: dict[int, int] = {}
        by_start = {c: n for n, token in enumerate(parsed) for c in range(token.start, token.end)}
        for i, word in enumerate(question.words):
            if word.start in by_start:
                self._of_word[i] = by_start[word.start]
        self._heads = [token.head for token in parsed]

    def turns(self, path: Path) -> int:
        """Steps whose words are nearer to the name than those of the step before."""
        start = self._of_word.get(path.start.last)
        if start is None:
            return 1
        far = [
            min(
                (self._distance(start, self._of_word[p]) for p in m.places if p in self._of_word),
                default=0,
            )
            for m in path.mentions
            if m is not None
        ]
        return sum(b < a for a, b in pairwise(far))

    def _distance(self, one: int, other: int) -> int:
        up, steps = {one: 0}, 0
        while self._heads[one] != one:
            one, steps = self._heads[one], steps + 1
            up[one] = steps
        steps = 0
        while other not in up:
            if self._heads[other] == other:
                return len(self._heads)  # another sentence
            other, steps = self._heads[other], steps + 1
        return steps + up[other]
