"""Paired bootstrap over documents (Efron 1979; Koehn 2004).

    d = (sum_i n_i(a) - n_i(b)) / (ln 2 * sum_i bytes_i)        i over documents

n_i(m): nats of document i under m, mean over seeds. Documents are drawn with replacement, the same
for a and b, and the 2.5% and 97.5% quantiles of d over the draws are its 95% interval. It is an
interval for other documents of the same kind, not for other seeds: how d differs between seeds is
reported beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 10_000


@dataclass(frozen=True)
class Difference:
    """Bits per byte of a minus b; ``low`` to ``high`` is the 95% interval; ``by_seed`` the
    differences of runs of one seed each, where a and b have equally many."""

    mean: float
    low: float
    high: float
    by_seed: list[float]


def bits_per_byte(nats: Sequence[float], sizes: Sequence[int]) -> float:
    """Of a set of documents with these scores and bytes."""
    return sum(nats) / math.log(2) / sum(sizes)


def paired_bootstrap(
    a: Sequence[Sequence[float]],
    b: Sequence[Sequence[float]],
    sizes: Sequence[int],
    draws: int = DRAWS,
    seed: int = 0,
) -> Difference:
    """Difference of two models on the same documents.

    Args:
        a, b: nats, ``[seeds][documents]``.
        sizes: bytes of the documents.

    Raises:
        ValueError: scores of another number of documents.
    """
    ours, theirs, weight = np.asarray(a, float), np.asarray(b, float), np.asarray(sizes, float)
    for name, scores in (("a", ours), ("b", theirs)):
        if scores.ndim != 2 or scores.shape[1] != len(weight):
            raise ValueError(f"{name} of shape {scores.shape}: must be [seeds, {len(weight)}]")
    gap = (ours.mean(axis=0) - theirs.mean(axis=0)) / math.log(2)
    rng = np.random.default_rng(seed)
    means = np.empty(draws)
    for i in range(draws):  # one draw at a time: documents may be many
        chosen = rng.integers(len(gap), size=len(gap))
        means[i] = gap[chosen].sum() / weight[chosen].sum()
    low, high = np.quantile(means, [0.025, 0.975])
    by_seed = []
    if len(ours) == len(theirs):
        by_seed = ((ours - theirs).sum(axis=1) / math.log(2) / weight.sum()).tolist()
    return Difference(float(gap.sum() / weight.sum()), float(low), float(high), by_seed)
