"""MQAR, multi-query associative recall: eight keys, each queried once, most of them early.

    k1 v1 ... kn vn | 0 0 k5 0 0 0 k2 0 ...        scored at k5 (v5) and at k2 (v2)

V = 128: filler 0, keys 1..63, values 64..127. First n = 8 pairs of distinct keys and distinct
values. Behind them lie (T - 2n) / 2 slots of two positions; every key is asked for in a slot of
its own, drawn without replacement with p(i) proportional to i^(a - 1), i = 1, 2, ..., a = 0.01,
so that recent queries are common and late ones rare. The query is the key on the slot's first
position and is scored against its value; the slot's second position is filler, so the value is
never shown after the pairs. Everything else is filler and unscored. It tests a memory of several
associations at once; longer sequences stretch the gaps, not the number of pairs.

Rule: Zoology (arXiv 2312.04927). Drawing without replacement is done for all rows at once by
ordering the slots by log p(i) + Gumbel noise. Chance: 1/64 blindly; a guess among the eight
values shown would give 1/8.
"""

from __future__ import annotations

import numpy as np

from tasks.subsets import random_subsets
from tasks.task import IGNORE, MAX_LENGTH, IntArray, Task

FILLER = 0
KEYS = 63
VALUES = 64
FIRST_KEY, FIRST_VALUE = 1, 64
PAIRS = 8
POWER = 0.01


class MQAR(Task):
    """Recall eight values by key; ``length`` T is even and >= 32, so that every key has a slot."""

    name = "mqar"
    vocab_size = 128
    metric = "accuracy"
    chance = 1 / VALUES
    train_length = 64
    test_lengths = (64, 128, 256, 512)
    lengths = range(4 * PAIRS, MAX_LENGTH + 1, 2)

    def draw(
        self, rng: np.random.Generator, split: str, batch_size: int, length: int
    ) -> tuple[IntArray, IntArray]:
        keys = FIRST_KEY + random_subsets(rng, batch_size, KEYS, PAIRS)
        values = FIRST_VALUE + random_subsets(rng, batch_size, VALUES, PAIRS)
        tokens = np.full((batch_size, length), FILLER)
        tokens[:, 0 : 2 * PAIRS : 2] = keys
        tokens[:, 1 : 2 * PAIRS : 2] = values
        slots = (length - 2 * PAIRS) // 2
        log_p = (POWER - 1) * np.log(np.arange(1, slots + 1))
        noisy = log_p + rng.gumbel(size=(batch_size, slots))
        queries = 2 * PAIRS + 2 * (-noisy).argsort(axis=1)[:, :PAIRS]
        np.put_along_axis(tokens, queries, keys, axis=1)
        targets = np.full((batch_size, length), IGNORE)
        np.put_along_axis(targets, queries, values, axis=1)
        return tokens, targets
