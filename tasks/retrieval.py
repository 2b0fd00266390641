"""Retrieval: questions about facts that are nowhere in the text.

    the old king of ba lo is  ru ti .       as for ba lo , not si bo , the river is  unknown .

An episode is a list of facts (subject, relation) -> answer, drawn afresh, and rows of sentences
that ask about them in five wordings, between small talk made of the same words. A name has two or
three syllables, a relation one or two words, an answer one to three syllables. A share ``ABSENT``
of the questions are about facts that are not in the list, half of these about one of its subjects;
their answer is ``unknown``. The facts come beside the rows, to be bound to a fact store. No row
asks for the same fact twice, so no answer can be copied from an earlier one; a row that is long
enough to ask for all of them goes on with absent ones.

Answers are drawn independently of all that a row shows before them. Without the fact store a
syllable is a guess among 66. The subjects of the three splits are disjoint: a fact asked about in
the test was never seen in training.

Each token has a part (of a subject, of a relation, none) and a flag: the next token belongs to an
answer. Both follow from the tokens before it: a name that opens a sentence is marked as a subject
however the sentence goes on.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tasks.task import IGNORE, MAX_LENGTH, SPLITS, Batch, IntArray, Task

FUNCTION_WORDS = (
    *(".", ",", ":", "a", "as", "for", "has", "is", "lost", "me", "met", "not", "of", "saw"),
    *("tell", "the", "unknown", "unlike"),
)
ADJECTIVES = ("old", "new", "main")
NOUNS = (
    *("bridge", "capital", "colour", "dish", "festival", "harbour", "king", "market"),
    *("mountain", "river", "song", "tower"),
)
SYLLABLES = tuple(c + v for c in "bdfgklmnrst" for v in "aeiouy")
WORDS = FUNCTION_WORDS + ADJECTIVES + NOUNS + SYLLABLES
ID = {word: i for i, word in enumerate(WORDS)}
STOP, UNKNOWN = ID["."], ID["unknown"]
FIRST_SYLLABLE = ID[SYLLABLES[0]]
NO_PART, SUBJECT, RELATION = range(3)
ABSENT = 0.4  # share of questions about facts that are not in the list
QUESTION = 0.6  # share of sentences that ask
SIBLINGS = 0.5  # share of facts, and of absent questions, about a subject that has another fact


class Triple(NamedTuple):
    """A fact (subject, relation, answer), each a tuple of token ids."""

    subject: tuple[int, ...]
    relation: tuple[int, ...]
    answer: tuple[int, ...]


class Word(NamedTuple):
    """A token id, its part, and whether the next token belongs to an answer."""

    token: int
    part: int = NO_PART
    asks: bool = False


@dataclass(frozen=True)
class Episode(Batch):
    """A batch with its facts. ``targets`` are the tokens of answers and their full stops.

    Attributes:
        following: ``[B, T]`` int64, the next token everywhere.
        parts: ``[B, T]`` int64, from ``NO_PART, SUBJECT, RELATION``.
        asks: ``[B, T]`` bool, where ``targets`` are.
        absent: ``[B, T]`` bool, scored positions of questions that no fact answers.
        facts: the list that the questions are about.
    """

    following: Tensor
    parts: Tensor
    asks: Tensor
    absent: Tensor
    facts: tuple[Triple, ...]


class Retrieval(Task):
    """Answer from a list of ``facts`` facts; ``length`` T is >= 16."""

    name = "retrieval"
    vocab_size = len(WORDS)
    metric = "accuracy"
    # The full stop, which ends answers of two syllables on average, and "unknown".
    chance = 1 / (1 + ABSENT + 2 * (1 - ABSENT))
    train_length = 64
    test_lengths = (64, 256)
    lengths = range(16, MAX_LENGTH + 1)

    def __init__(self, facts: int = 24) -> None:
        if facts < 1:
            raise ValueError(f"retrieval: facts = {facts}: must be >= 1")
        self.facts = facts

    def draw(
        self, rng: np.random.Generator, split: str, batch_size: int, length: int
    ) -> tuple[IntArray, IntArray]:
        episode = self._episode(rng, split, batch_size, length)
        return episode.tokens.numpy(), episode.targets.numpy()

    def episode(
        self, split: str, seed: int, index: int, batch_size: int, length: int | None = None
    ) -> Episode:
        """The batch of the same arguments, with all that :class:`Episode` adds to it."""
        length = self.train_length if length is None else length
        self._check(split, seed, index, batch_size, length)
        stream = [zlib.crc32(self.name.encode()), SPLITS.index(split), seed, index]
        rng = np.random.default_rng(np.random.SeedSequence(stream))
        return self._episode(rng, split, batch_size, length)

    def _episode(
        self, rng: np.random.Generator, split: str, batch_size: int, length: int
    ) -> Episode:
        sampler = EpisodeSampler(rng, SPLITS.index(split), self.facts)
        rows = [sampler.row(length + 1) for _ in range(batch_size)]
        words = np.array([[word for word, _ in row] for row in rows])
        absent = np.array([[not known for _, known in row] for row in rows])[:, :-1]
        tokens, asks = words[..., 0], words[:, :-1, 2].astype(bool)
        targets = np.where(asks, tokens[:, 1:], IGNORE)
        columns = (tokens[:, :-1], targets, tokens[:, 1:], words[:, :-1, 1], asks, absent & asks)
        return Episode(*(torch.from_numpy(x.copy()) for x in columns), tuple(sampler.facts))


class EpisodeSampler:
    """Draws a list of facts, and sentences about them.

    Args:
        rng: where all choices come from.
        share: 0, 1 or 2; the subjects of different shares are disjoint.
        count: number of facts.
    """

    def __init__(self, rng: np.random.Generator, share: int, count: int) -> None:
        self.rng, self.share = rng, share
        self.known: dict[tuple[tuple[int, ...], tuple[int, ...]], Triple] = {}
        while len(self.known) < count:
            subject, relation = self.subject(self.rng.random() < SIBLINGS), self.relation()
            self.known.setdefault((subject, relation), Triple(subject, relation, self.answer()))
        self.facts = list(self.known.values())

    def subject(self, sibling: bool) -> tuple[int, ...]:
        """A name of this share; with ``sibling`` that of a known fact, if there is one."""
        if sibling and self.known:
            return list(self.known)[self.rng.integers(len(self.known))][0]
        ids = self.rng.integers(len(SYLLABLES), size=self.rng.integers(2, 4))
        ids[-1] += (self.share - ids.sum()) % 3 - 3 * (ids[-1] + 3 > len(SYLLABLES))
        return tuple(int(i) + FIRST_SYLLABLE for i in ids)

    def relation(self) -> tuple[int, ...]:
        """A noun, as often as not behind an adjective."""
        noun = ID[NOUNS[self.rng.integers(len(NOUNS))]]
        if self.rng.random() < 0.5:
            return (noun,)
        return (ID[ADJECTIVES[self.rng.integers(len(ADJECTIVES))]], noun)

    def answer(self) -> tuple[int, ...]:
        """One to three syllables."""
        size = self.rng.integers(1, 4)
        return tuple(int(i) + FIRST_SYLLABLE for i in self.rng.integers(len(SYLLABLES), size=size))

    def unseen_pair(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """A subject and a relation that no fact joins."""
        while True:
            pair = self.subject(self.rng.random() < SIBLINGS), self.relation()
            if pair not in self.known:
                return pair

    def row(self, length: int) -> list[tuple[Word, bool]]:
        """``length`` words of sentences; with each, whether its question has an answer."""
        row: list[tuple[Word, bool]] = []
        order = list(self.rng.permutation(len(self.facts)))
        while len(row) < length:
            if self.rng.random() >= QUESTION:
                row += [(word, True) for word in self.small_talk()]
            elif order and self.rng.random() >= ABSENT:
                fact = self.facts[order.pop()]
                row += [(word, True) for word in self.question(*fact)]
            else:
                row += [(word, False) for word in self.question(*self.unseen_pair(), (UNKNOWN,))]
        return row[:length]

    def question(
        self, subject: tuple[int, ...], relation: tuple[int, ...], answer: tuple[int, ...]
    ) -> list[Word]:
        """One of five wordings, and the answer."""
        form = int(self.rng.integers(len(WORDINGS)))
        head = worded(WORDINGS[form], subject, relation, self.subject(False))
        head[-1] = head[-1]._replace(asks=True)
        return [*head, *(Word(i, NO_PART, True) for i in answer), Word(STOP)]

    def small_talk(self) -> list[Word]:
        """A sentence that asks nothing."""
        form = SMALL_TALK[int(self.rng.integers(len(SMALL_TALK)))]
        return worded(form, self.subject(True), self.relation(), self.subject(True))


WORDINGS = (
    "the R of S is",
    "S has R",
    "as for S , not N , the R is",
    "unlike N , S has R",
    "tell me the R of S :",
)
SMALL_TALK = ("S met N .", "S saw the R of O .", "the R is lost .", "S has a R .")


def worded(
    form: str, subject: tuple[int, ...], relation: tuple[int, ...], other: tuple[int, ...]
) -> list[Word]:
    """The words of a form: S the subject, R the relation, O or N another name; N plays no part."""
    runs = {
        "S": (subject, SUBJECT),
        "R": (relation, RELATION),
        "O": (other, SUBJECT),
        "N": (other, NO_PART),
    }
    words = []
    for word in form.split():
        ids, part = runs.get(word, ((ID.get(word, -1),), NO_PART))
        words += [Word(i, part) for i in ids]
    return words


def text(tokens: Tensor | Sequence[int]) -> str:
    """Token ids ``[T]`` as words; the syllables of a name are joined."""
    words: list[str] = []
    in_name = False
    for i in map(int, tokens):
        if i >= FIRST_SYLLABLE and in_name:
            words[-1] += WORDS[i]
        else:
            words.append(WORDS[i].capitalize() if i >= FIRST_SYLLABLE else WORDS[i])
        in_name = i >= FIRST_SYLLABLE
    return " ".join(words)
