"""Parses of remarks and questions as plain data, which outlive the parser's memory.

A parse is kept by its text as long as the process lives and nothing is erased: a remark is parsed
once.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import Tensor

from prism.inject import second_opinion
from prism.mind.perceive import parser
from prism.mind.records import keeps_text
from prism.mind.reflect.words import FUNCTION, stem

KEPT = 2048  # parses


@dataclass(frozen=True)
class Word:
    """Token of a parse.

    Attributes:
        text, lower, lemma, stem: its spellings; ``stem`` as questions are matched by.
        tag, dep, ent: Penn tag, dependency, type of the named entity that it is part of.
        head: number of the token it hangs on; its own at the root.
        start, end: of its characters.
    """

    text: str
    lower: str
    lemma: str
    stem: str
    tag: str
    dep: str
    ent: str
    head: int
    start: int
    end: int

    @property
    def content(self) -> bool:
        """True for a word outside the closed classes."""
        return self.lower not in FUNCTION and any(map(str.isalnum, self.lower))

    @property
    def noun(self) -> bool:
        """True for a noun or a name."""
        return self.tag[:2] == "NN"

    @property
    def verb(self) -> bool:
        """True for a verb, auxiliaries too."""
        return self.tag[:2] in ("VB", "MD")


@dataclass(frozen=True)
class Parse:
    """A parsed text; ``vectors [T, 384]`` are its words in context, None without the encoder."""

    text: str
    words: tuple[Word, ...]
    vectors: Tensor | None

    def children(self, at: int) -> list[int]:
        """Tokens that hang on one."""
        return [i for i, word in enumerate(self.words) if word.head == at and i != at]

    def above(self, at: int) -> list[int]:
        """Tokens on the way to the root, the nearest first."""
        found = []
        while self.words[at].head != at:
            at = self.words[at].head
            found.append(at)
        return found

    def subtree(self, at: int) -> list[int]:
        """Tokens under one, with it, in order."""
        return [i for i in range(len(self.words)) if i == at or at in self.above(i)]

    def distance(self, one: int, other: int) -> int:
        """Steps between two tokens of the tree; their number where no way leads."""
        up = {at: n for n, at in enumerate([one, *self.above(one)])}
        ways = [n + up[at] for n, at in enumerate([other, *self.above(other)]) if at in up]
        return min(ways, default=len(self.words))


@keeps_text
@functools.lru_cache(maxsize=KEPT)
def parsed(text: str) -> Parse:
    """The parse of a text, as it is written."""
    with parser.zone():
        words = tuple(
            Word(
                t.text, t.lower_, t.lemma_.lower(), stem(t.lower_), t.tag_, t.dep_, t.ent_type_,
                t.head.i, t.idx, t.idx + len(t),
            )
            for t in parser.load()(text)
        )  # fmt: skip
    return Parse(text, words, _vectors(text, words))


def _vectors(text: str, words: tuple[Word, ...]) -> Tensor | None:
    """The vectors of words in context: means of their pieces'."""
    if not second_opinion.available():
        return None
    pieces, vectors = second_opinion.shared().in_context(text)
    found = torch.zeros(len(words), vectors.shape[1])
    for i, word in enumerate(words):
        own = [n for n, (a, b) in enumerate(pieces) if a < word.end and b > word.start]
        if own:
            found[i] = torch.nn.functional.normalize(vectors[own].mean(0), dim=0)
    return found
