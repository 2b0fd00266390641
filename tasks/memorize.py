"""Memorising: a fixed table of values that no row shows.

    k1 INSERT k5 INSERT k2 INSERT ...        scored at each INSERT, against the value of its key

127 keys 0..126, values 127..253 in an order that is fixed for ever, INSERT 254. Keys are drawn
uniformly; the value is not in the input, so it has to be in the weights. It tests how fast facts
are learned by heart, and whether a model that mixes tokens still does it.

Rule: memorisation of MAD (arXiv 2403.17844, appendix B.5). Chance: 1/127.
"""

from __future__ import annotations

import numpy as np

from tasks.task import IGNORE, MAX_LENGTH, IntArray, Task

KEYS = 127
INSERT = 2 * KEYS
TABLE_SEED = 12345
TABLE: IntArray = KEYS + np.random.default_rng(TABLE_SEED).permutation(KEYS)


class Memorize(Task):
    """Answer keys from a fixed table; ``length`` T is even and >= 2."""

    name = "memorize"
    vocab_size = 2 * KEYS + 1
    metric = "accuracy"
    chance = 1 / KEYS
    train_length = 32
    test_lengths = (32, 256)
    lengths = range(2, MAX_LENGTH + 1, 2)

    def draw(
        self, rng: np.random.Generator, split: str, batch_size: int, length: int
    ) -> tuple[IntArray, IntArray]:
        keys = rng.integers(KEYS, size=(batch_size, length // 2))
        tokens = np.full((batch_size, length), INSERT)
        tokens[:, 0::2] = keys
        targets = np.full((batch_size, length), IGNORE)
        targets[:, 1::2] = TABLE[keys]
        return tokens, targets
