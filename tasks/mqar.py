"""MQAR, multi-query associative recall: n keys, each queried once, most of them early.

    k1 v1 ... kn vn | 0 0 k5 0 0 0 k2 0 ...        scored at k5 (v5) and at k2 (v2)

Filler 0, then K keys and K + 1 values. First n pairs of distinct keys and distinct values. Behind
them lie (T - 2n) / 2 slots of two positions; every key is asked for in a slot of its own, drawn
without replacement with p(i) proportional to i^(a - 1), i = 1, 2, ..., a = 0.01,
so that recent queries are common and late ones rare. The query is the key on the slot's first
position and is scored against its value; the slot's second position is filler, so the value is
never shown after the pairs. Everything else is filler and unscored. It tests a memory of several
associations at once; longer sequences stretch the gaps, not the number of pairs. Three sizes:
``mqar`` (n = 8, K = 63, trained on 64 tokens), ``mqar64`` (n = 64, K = 255, 256 tokens) and
``mqar128`` (n = 128, K = 255, 512 tokens).

Rule: Zoology (arXiv 2312.04927). Drawing without replacement is done for all rows at once by
ordering the slots by log p(i) + Gumbel noise. Zoology has 8,192 tokens at every size. Chance:
1 / (K + 1) blindly; a guess among the values shown would give 1 / n.
"""

from __future__ import annotations

import numpy as np

from tasks.subsets import random_subsets
from tasks.task import IGNORE, MAX_LENGTH, IntArray, Task

FILLER = 0
POWER = 0.01


class MQAR(Task):
    """Recall values by key; ``length`` T is even and >= 4n, so that every key has a slot.

    Args:
        name: of the task.
        pairs: number of pairs n.
        keys: number of keys K.
        train_length: tokens of a training sequence; tests read up to 8 times that with eight
            pairs, up to twice that with more.
    """

    metric = "accuracy"

    def __init__(
        self, name: str = "mqar", *, pairs: int = 8, keys: int = 63, train_length: int = 64
    ) -> None:
        self.name, self.pairs, self.keys = name, pairs, keys
        self.values = keys + 1
        self.vocab_size = 1 + self.keys + self.values
        self.chance = 1 / self.values
        self.train_length = train_length
        times = (1, 2, 4, 8) if pairs == 8 else (1, 2)
        self.test_lengths = tuple(train_length * n for n in times)

    @property
    def lengths(self) -> range:
        return range(4 * self.pairs, MAX_LENGTH + 1, 2)

    def draw(
        self, rng: np.random.Generator, split: str, batch_size: int, length: int
    ) -> tuple[IntArray, IntArray]:
        pairs = self.pairs
        keys = 1 + random_subsets(rng, batch_size, self.keys, pairs)
        values = 1 + self.keys + random_subsets(rng, batch_size, self.values, pairs)
        tokens = np.full((batch_size, length), FILLER)
        tokens[:, 0 : 2 * pairs : 2] = keys
        tokens[:, 1 : 2 * pairs : 2] = values
        slots = (length - 2 * pairs) // 2
        log_p = (POWER - 1) * np.log(np.arange(1, slots + 1))
        noisy = log_p + rng.gumbel(size=(batch_size, slots))
        queries = 2 * pairs + 2 * (-noisy).argsort(axis=1)[:, :pairs]
        np.put_along_axis(tokens, queries, keys, axis=1)
        targets = np.full((batch_size, length), IGNORE)
        np.put_along_axis(targets, queries, values, axis=1)
        return tokens, targets
