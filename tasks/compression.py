"""Compression: a row of random tokens, to be read back from the last position alone.

    7 2 11 ... 5 END        every token before END is asked, of what the model holds at END

T - 1 tokens uniform over 15, then END. The target at position p is token p itself: positions are
names of questions here, not places where an answer is due. A readout (``prism/compare/readout.py``)
gets the model's features at END, adds a learned code of p and predicts token p; it sees no other
position. It tests how much one token's features can hold.

Rule: compression of MAD (arXiv 2403.17844, appendix B.6): an auto-encoder whose decoder is an MLP
on one aggregated token and a position code. Chance: 1/15.
"""

from __future__ import annotations

import numpy as np

from tasks.task import IGNORE, IntArray, Task

DATA = 15
END = DATA


class Compression(Task):
    """Read a row back from its last position; ``length`` T is 2 to 32."""

    name = "compression"
    vocab_size = DATA + 1
    metric = "accuracy"
    chance = 1 / DATA
    train_length = 32
    test_lengths = (32,)
    lengths = range(2, 33)
    read_at_the_end = True

    def draw(
        self, rng: np.random.Generator, split: str, batch_size: int, length: int
    ) -> tuple[IntArray, IntArray]:
        tokens = rng.integers(DATA, size=(batch_size, length))
        tokens[:, -1] = END
        targets = tokens.copy()
        targets[:, -1] = IGNORE
        return tokens, targets
