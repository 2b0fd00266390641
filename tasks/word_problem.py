"""Word problems of the symmetric groups: the running product of random permutations.

    y_t = x_t x_(t-1) ... x_1,   the permutation that applies x_1 first

Tokens are the n! permutations of n things in lexicographic order; each x_t is uniform, and every
position is scored against the product so far, which is not fed back. S3 (6 elements) is the
smallest group that does not commute and is solvable; S5 (120) is not solvable, so its word problem
is complete for NC1: no model of constant depth whose state is updated by diagonal, input-dependent
factors tracks it at every length. Trained on 32 tokens and read up to 4 times that.

Rule: arXiv 2404.08819, with a target at every position. Chance: 1 / n!.
"""

from __future__ import annotations

from itertools import permutations
from math import factorial

import numpy as np

from tasks.task import MAX_LENGTH, IntArray, Task


def product_table(n: int) -> IntArray:
    """``table[a, b]``, index of the permutation that applies a first, then b; both ``< n!``."""
    elements = np.array(list(permutations(range(n))))
    weights = n ** np.arange(n - 1, -1, -1)
    codes = elements @ weights  # ascending, as the order is lexicographic
    products = elements.T[elements].transpose(0, 2, 1)  # [a, b, i] = b[a[i]]
    return np.searchsorted(codes, products @ weights)


class WordProblem(Task):
    """Running product in the symmetric group of ``n`` things; any ``length`` T >= 1."""

    metric = "accuracy"
    train_length = 32
    test_lengths = (32, 64, 128)
    lengths = range(1, MAX_LENGTH + 1)

    def __init__(self, n: int) -> None:
        self.name = f"s{n}"
        self.vocab_size = factorial(n)
        self.chance = 1 / self.vocab_size
        self.table = product_table(n)

    def draw(
        self, rng: np.random.Generator, split: str, batch_size: int, length: int
    ) -> tuple[IntArray, IntArray]:
        tokens = rng.integers(self.vocab_size, size=(batch_size, length))
        targets = tokens.copy()
        for t in range(1, length):
            targets[:, t] = self.table[targets[:, t - 1], tokens[:, t]]
        return tokens, targets
