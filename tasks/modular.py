"""Modular: the running sum of digits, modulo 5.

    y_t = (x_0 + ... + x_t) mod 5

The digits x_t are uniform in 0..4 and every position is scored against y_t, in training and in
tests. The answers are not fed back, so the whole sum has to be carried in the state: y_t is
uniform and independent of x_t for t >= 1 (y_0 = x_0). It tests exact state tracking in a cyclic
group, trained on 32 tokens and read up to 8 times that length. A model that holds no state still
gets the first positions right, which lifts a mean over 32 positions above chance and one over 256
hardly at all: compare lengths with that in mind.

Rule: the group word problem with a target at every position (arXiv 2404.08819; for Z_5 also the
modular arithmetic of arXiv 2411.12537). Chance: 1/5.
"""

from __future__ import annotations

import numpy as np

from tasks.task import MAX_LENGTH, IntArray, Task


class Modular(Task):
    """Running sum modulo ``modulus``; any ``length`` T >= 1."""

    name = "modular"
    modulus = 5
    vocab_size = 5
    metric = "accuracy"
    chance = 1 / 5
    train_length = 32
    test_lengths = (32, 64, 128, 256)
    lengths = range(1, MAX_LENGTH + 1)

    def draw(
        self, rng: np.random.Generator, split: str, batch_size: int, length: int
    ) -> tuple[IntArray, IntArray]:
        digits = rng.integers(self.modulus, size=(batch_size, length))
        return digits, digits.cumsum(axis=1) % self.modulus
