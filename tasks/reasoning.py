"""Reasoning: a chain of additions and subtractions that is clamped after every step.

    v0 op_1 d_1 op_2 d_2 ... op_n d_n SEP  ->  v_n        T = 2n + 2
    v_i = min(max(v_{i-1} +- d_i, 0), R - 1)

R = 16, v0 uniform in [0, R), op_i ADD or SUB, d_i uniform in 1..R/4. Numbers are written with the
same tokens wherever they stand: d = 3 and v = 3 are both token 3. Only SEP is scored, against
v_n, which is not in the input. Clamping makes the steps not commute: the sum of the signed d_i
does not give the answer, the state after each step does. It tests sequential computation on a
small state; longer chains (n = 12, 24) ask for more steps than were trained.

Rule: the project's own; a word problem over a monoid of clamped shifts, akin to the group word
problems of arXiv 2404.08819. Chance: 0.1220, the share of the likeliest final value (0, as likely
as 15: clamping piles probability up at both ends).
"""

from __future__ import annotations

import numpy as np

from tasks.task import IGNORE, MAX_LENGTH, IntArray, Task

RANGE = 16
LARGEST_STEP = RANGE // 4
ADD, SUB, SEP = RANGE, RANGE + 1, RANGE + 2


class Reasoning(Task):
    """Follow a clamped accumulator; ``length`` T = 2n + 2 for n >= 1 steps."""

    name = "reasoning"
    vocab_size = RANGE + 3
    metric = "accuracy"
    chance = 0.1220
    train_length = 14
    test_lengths = (14, 26, 50)
    lengths = range(4, MAX_LENGTH + 1, 2)

    def draw(
        self, rng: np.random.Generator, split: str, batch_size: int, length: int
    ) -> tuple[IntArray, IntArray]:
        steps = (length - 2) // 2
        value = rng.integers(RANGE, size=batch_size)
        subtract = rng.integers(2, size=(batch_size, steps))
        delta = rng.integers(1, LARGEST_STEP + 1, size=(batch_size, steps))
        tokens = np.full((batch_size, length), SEP)
        tokens[:, 0] = value
        tokens[:, 1:-1:2] = np.where(subtract, SUB, ADD)
        tokens[:, 2:-1:2] = delta
        change = np.where(subtract, -delta, delta)
        for step in range(steps):
            value = np.clip(value + change[:, step], 0, RANGE - 1)
        targets = np.full((batch_size, length), IGNORE)
        targets[:, -1] = value
        return tokens, targets
