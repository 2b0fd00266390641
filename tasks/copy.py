"""Copy: repeat k tokens in order after they have passed.

    d_1 ... d_k SEP _ ... _        k - 1 blanks, T = 2k

The d_i are uniform over 16 data tokens. The logits at SEP are scored against d_1 and those at
the j-th blank against d_{j+1}; nothing else is scored. The answers are never fed back: blanks
stand where they would be, so position k + j knows which token comes next only by counting. It tests
lossless short memory addressed by position.

Rule: the copy task of Neural Turing Machines (arXiv 1410.5401, section 4.1), with tokens in
place of bit vectors. Chance: 1/16. The test has the training length only, because a longer
sequence asks for more memory as well as for more time.
"""

from __future__ import annotations

import numpy as np

from tasks.task import IGNORE, MAX_LENGTH, IntArray, Task

DATA = 16
SEP, BLANK = DATA, DATA + 1


class Copy(Task):
    """Repeat the first half of the sequence; ``length`` T is even and k = T / 2."""

    name = "copy"
    vocab_size = DATA + 2
    metric = "accuracy"
    chance = 1 / DATA
    train_length = 16
    test_lengths = (16,)
    lengths = range(2, MAX_LENGTH + 1, 2)

    def draw(
        self, rng: np.random.Generator, split: str, batch_size: int, length: int
    ) -> tuple[IntArray, IntArray]:
        k = length // 2
        data = rng.integers(DATA, size=(batch_size, k))
        tokens = np.full((batch_size, length), BLANK)
        tokens[:, :k] = data
        tokens[:, k] = SEP
        targets = np.full((batch_size, length), IGNORE)
        targets[:, k:] = data
        return tokens, targets
