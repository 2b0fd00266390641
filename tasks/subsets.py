"""Drawing without replacement for many rows at once: order random numbers, keep the first n."""

from __future__ import annotations

import numpy as np

from tasks.task import IntArray


def random_subsets(
    rng: np.random.Generator, batch_size: int, population: int, size: int
) -> IntArray:
    """For each row ``size`` different numbers below ``population`` in random order, ``[B, n]``."""
    return rng.random((batch_size, population)).argsort(axis=1)[:, :size]
