"""Reading by dependencies: the order of a path's steps against the tree of the sentence.

In "the hobby of the mayor of the capital of X" each relation's word is farther from X in the tree
than the one before. Of the paths that explain the question the reading votes for the one with the
fewest steps that come nearer instead, if it has none. spaCy with a small English model, optional.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from prism.mind.perceive import parser
from prism.mind.records import keeps_text
from prism.mind.reflect.question import Question
from prism.mind.reflect.readings import Reading
from prism.mind.reflect.search import Found, Path

COMPARED = 12  # paths


@dataclass(frozen=True)
class Parsed:
    """Token of a parse, kept when spaCy has forgotten the sentence.

    Attributes:
        start, end: of its characters.
        head: number of the token it hangs on; its own at the root.
        tag: part of speech, of the Penn treebank.
        dep: how it hangs there, of spaCy's English labels.
        text: in small letters.
    """

    start: int
    end: int
    head: int
    tag: str
    dep: str
    text: str


@keeps_text
@lru_cache(maxsize=8)
def parse(text: str) -> tuple[Parsed, ...]:
    """Tokens of a question."""
    with parser.zone():
        return tuple(
            Parsed(t.idx, t.idx + len(t), t.head.i, t.tag_, t.dep_, t.lower_)
            for t in parser.load()(text)
        )


class PhraseReading(Reading):
    """See the module.

    Raises:
        prism.mind.perceive.parser.Missing: spaCy or its model; says how to install it.
    """

    name = "phrases"

    def __init__(self) -> None:
        parser.load()

    def choose(self, question: Question, found: Found) -> Path | None:
        """As :meth:`prism.mind.reflect.readings.Reading.choose`."""
        if not found.paths:
            return None
        tree = Tree(question)
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


class Tree:
    """The dependency tree of a question.

    Attributes:
        tokens: of the parse.
        of_word: token of each word of the question, by number; words that the parser drops are
            left out.
    """

    def __init__(self, question: Question) -> None:
        self.tokens = parse(question.text)
        at = {c: n for n, t in enumerate(self.tokens) for c in range(t.start, t.end)}
        self.of_word = {i: at[w.start] for i, w in enumerate(question.words) if w.start in at}

    def up(self, n: int) -> list[int]:
        """A token and those that it hangs on."""
        chain = [n]
        while self.tokens[chain[-1]].head not in chain:
            chain.append(self.tokens[chain[-1]].head)
        return chain

    def turns(self, path: Path) -> int:
        """Steps whose words are nearer to the name than those of the step before."""
        start = self.of_word.get(path.start.last)
        if start is None:
            return 1
        places = [m.places for m in path.mentions if m is not None]
        tokens = [[self.of_word[p] for p in each if p in self.of_word] for each in places]
        far = [min((self._distance(start, n) for n in each), default=0) for each in tokens]
        return sum(b < a for a, b in pairwise(far))

    def _distance(self, one: int, other: int) -> int:
        """Edges between two tokens; those of two sentences are farther apart than any of one."""
        steps = {n: k for k, n in enumerate(self.up(one))}
        meet = ((k, n) for k, n in enumerate(self.up(other)) if n in steps)
        return next((k + steps[n] for k, n in meet), len(self.tokens))
