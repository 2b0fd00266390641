"""The interface of a task: a name, a metric, and batches drawn from a seed.

The next-token convention holds everywhere: the logits at position t are scored against
``targets[:, t]``, the token that would come at t + 1. Positions that ask for nothing hold
``IGNORE``. Answers are not fed back, so no position can read the answer to an earlier one.

A batch is a pure function of (split, seed, index, batch size, length). Its random numbers come
from ``SeedSequence([crc32(name), split, seed, index])``: the split is a word of the entropy, so
the train, validation and test streams cannot meet, whatever the seeds and however long the run.
"""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

IGNORE = -100
SPLITS = ("train", "validation", "test")
MAX_LENGTH = 2**20

IntArray = np.ndarray[tuple[int, int], np.dtype[np.int64]]


@dataclass(frozen=True)
class Batch:
    """Inputs, and the id to predict at each position.

    Attributes:
        tokens: ``[B, T]`` int64 ids in ``[0, vocab_size)``.
        targets: ``[B, T]`` int64 ids in ``[0, vocab_size)``, or ``IGNORE`` where not scored.
    """

    tokens: Tensor
    targets: Tensor


class Task(ABC):
    """A rule that turns random numbers into scored sequences.

    Attributes:
        name: of the task on the command line.
        vocab_size: number of token ids, inputs and answers together.
        metric: ``"accuracy"`` over scored positions (higher is better) or ``"bits_per_byte"``
            (lower is better).
        chance: the metric, at the training length, of a guess that ignores the input: always
            the likeliest answer, or for bits every byte equally likely.
        train_length: tokens per training sequence.
        test_lengths: lengths to report, the training length first.
        read_at_the_end: True where every target is asked of the features at the last position,
            through a readout, instead of the logits at its own position.
        repeats: True where training reads the same data again, so that models can overfit.
    """

    name: str
    vocab_size: int
    metric: Literal["accuracy", "bits_per_byte"]
    chance: float
    train_length: int
    test_lengths: tuple[int, ...]
    read_at_the_end: bool = False
    repeats: bool = False

    @property
    @abstractmethod
    def lengths(self) -> range:
        """Every sequence length for which the rule is defined."""

    @abstractmethod
    def draw(
        self, rng: np.random.Generator, split: str, batch_size: int, length: int
    ) -> tuple[IntArray, IntArray]:
        """Tokens and targets, each ``[B, T]`` int64, from values that ``batch`` has checked."""

    def batch(
        self, split: str, seed: int, index: int, batch_size: int, length: int | None = None
    ) -> Batch:
        """One batch; the same arguments always give the same numbers.

        Args:
            split: ``"train"``, ``"validation"`` or ``"test"``.
            seed: stream of batches within the split, in ``[0, 2**32)``.
            index: place of the batch in its stream, in ``[0, 2**32)``.
            batch_size: number of sequences B, >= 1.
            length: tokens per sequence T, one of ``lengths``; None = ``train_length``.

        Returns:
            A :class:`Batch` with ``[B, T]`` tokens and targets.

        Raises:
            ValueError: an argument outside the ranges above.
        """
        length = self.train_length if length is None else length
        self._check(split, seed, index, batch_size, length)
        stream = [zlib.crc32(self.name.encode()), SPLITS.index(split), seed, index]
        rng = np.random.default_rng(np.random.SeedSequence(stream))
        tokens, targets = self.draw(rng, split, batch_size, length)
        return Batch(torch.from_numpy(tokens), torch.from_numpy(targets))

    def _check(self, split: str, seed: int, index: int, batch_size: int, length: int) -> None:
        if split not in SPLITS:
            raise ValueError(f"{self.name}: split = {split!r}: must be one of {', '.join(SPLITS)}")
        for word, value in (("seed", seed), ("index", index)):
            if not (_is_integer(value) and 0 <= value < 2**32):
                raise ValueError(
                    f"{self.name}: {word} = {value!r}: must be an integer in [0, 2**32)"
                )
        if not (_is_integer(batch_size) and batch_size >= 1):
            raise ValueError(f"{self.name}: batch_size = {batch_size!r}: must be an integer >= 1")
        allowed = self.lengths
        if not (_is_integer(length) and length in allowed):
            raise ValueError(
                f"{self.name}: length = {length!r}: must be one of "
                f"{allowed[0]}, {allowed[1]}, ..., {allowed[-1]}"
            )


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
