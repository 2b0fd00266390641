"""Selective copying: sixteen tokens with blanks between them, to be repeated in order.

    7 _ _ 2 _ 11 ... _ 5 COPY _ _ ... _        scored at the last n blanks, against 7, 2, 11, ..., 5

n = 16 data tokens, uniform over 14; T - 2n - 1 blanks, each put before a data token drawn
uniformly; COPY; n blanks. The answers are never fed back. A longer row has more blanks, not more
data. It tests a memory that is addressed by how many tokens were kept, whatever lay between.

Rule: selective copying of MAD (arXiv 2403.17844, appendix B.4). Chance: 1/14.
"""

from __future__ import annotations

import numpy as np

from tasks.task import IGNORE, MAX_LENGTH, IntArray, Task

DATA = 14
BLANK, COPY = DATA, DATA + 1
KEPT = 16


class SelectiveCopy(Task):
    """Repeat the sixteen tokens that are no blanks; any ``length`` T > 2 * 16."""

    name = "selective_copy"
    vocab_size = DATA + 2
    metric = "accuracy"
    chance = 1 / DATA
    train_length = 256
    test_lengths = (256, 512)
    lengths = range(2 * KEPT + 1, MAX_LENGTH + 1)

    def draw(
        self, rng: np.random.Generator, split: str, batch_size: int, length: int
    ) -> tuple[IntArray, IntArray]:
        blanks = length - 2 * KEPT - 1
        data = rng.integers(DATA, size=(batch_size, KEPT))
        gaps = rng.multinomial(blanks, np.full(KEPT, 1 / KEPT), size=batch_size)
        places = gaps.cumsum(axis=1) + np.arange(KEPT)
        tokens = np.full((batch_size, length), BLANK)
        np.put_along_axis(tokens, places, data, axis=1)
        tokens[:, KEPT + blanks] = COPY
        targets = np.full((batch_size, length), IGNORE)
        targets[:, -KEPT:] = data
        return tokens, targets
