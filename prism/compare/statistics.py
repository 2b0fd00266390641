"""Statistics over a handful of seeds: mean, 95% confidence interval, winner.

    mean +- t_{0.975, n-1} s / sqrt(n)

(Student 1908; s is the sample standard deviation.) The quantile is computed, not tabulated: for
a whole number of degrees of freedom the distribution function is a finite sum of powers of
cos(theta), t = sqrt(df) tan(theta) (Abramowitz & Stegun 26.7.3-4), which bisection inverts to
machine precision. The interval is not cut at 0 or 1, where accuracies end. Runs that agree
exactly have an interval of width zero: it says that the seeds agree, not that the task is done.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean, stdev

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over ``n`` seeds; ``half_width`` of its 95% interval, None for one seed."""

    mean: float
    half_width: float | None
    n: int

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        return self.mean - (self.half_width or 0.0)

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        return self.mean + (self.half_width or 0.0)


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and 95% interval of at least one value."""
    if not values:
        raise ValueError("values = []: must hold at least one number")
    n = len(values)
    if n == 1:
        return Estimate(values[0], None, 1)
    return Estimate(fmean(values), t_quantile(n - 1) * stdev(values) / math.sqrt(n), n)


def paired_difference(a: Mapping[int, float], b: Mapping[int, float]) -> Estimate | None:
    """``a - b`` over the seeds that both have; None if they share none.

    Seeds pair runs that saw the same data in the same order, so what the data has done to both
    cancels.
    """
    common = sorted(a.keys() & b.keys())
    return estimate([a[seed] - b[seed] for seed in common]) if common else None


def winner(estimates: Mapping[str, Estimate], higher_is_better: bool) -> str | None:
    """The name whose mean is best and whose interval touches no other; None if there is none.

    At least two names, all with an interval, are needed for anyone to win.
    """
    if len(estimates) < 2 or any(e.half_width is None for e in estimates.values()):
        return None
    sign = 1 if higher_is_better else -1
    best = max(estimates, key=lambda name: sign * estimates[name].mean)
    low, high = estimates[best].low, estimates[best].high
    others = [e for name, e in estimates.items() if name != best]
    return best if all(e.high < low or e.low > high for e in others) else None


@cache
def t_quantile(df: int, confidence: float = CONFIDENCE) -> float:
    """The t with P(|T| < t) = ``confidence`` for ``df`` >= 1 degrees of freedom."""
    low, high = 0.0, math.pi / 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, df) < confidence else (low, middle)
    return math.sqrt(df) * math.tan((low + high) / 2)


def _within(theta: float, df: int) -> float:
    """P(|T| < sqrt(df) tan(theta))."""
    sin, cos = math.sin(theta), math.cos(theta)
    first = 2 if df % 2 else 1  # the sum runs over odd powers of cos for odd df, else even ones
    term = cos if df % 2 else 1.0
    total = 0.0
    for k in range(first, df, 2):
        total += term
        term *= cos * cos * k / (k + 1)
    return 2 / math.pi * (theta + sin * total) if df % 2 else sin * total
