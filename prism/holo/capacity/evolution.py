"""State evolution: how many facts approximate message passing can decode.

Under noise of variance v the posterior mean of a fact of amplitude a has the error
e(v / a^2) = 1 - E[ posterior of the true value ], and AMP's noise obeys

    v  <-  (1 / D) sum_i a_i^2 e(v / a_i^2)

from sweep to sweep, starting at the accumulator's own, v_0 = (1 / D) sum_i a_i^2. It reaches zero
iff the right side stays below v all the way down, so the limit is one minimum:

    N* / D = min over v <= v_0 of   v / mean_j a_j^2 e(v / a_j^2)        (mean over the layers).

(Bayati & Montanari, arXiv 1001.3448; Barbier & Krzakala, arXiv 1503.08040.) The waterfall is
sharp and finite accumulators fall a little earlier, so :func:`safe_facts` stays below it.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

from prism.holo.algebra.codes import RATIO

SAFE, SAFE_SMALL = 0.9, 0.75  # share of the limit where every trial decoded exactly ...
LARGE = 2048  # ... in accumulators of at least so many numbers, and in smaller ones
LOWEST, HIGHEST, PER_DECADE = 0.01, 30.0, 16  # of v: e is 0 below and does not change above
DRAWS, BUDGET = 1000, 2_000_000  # of the wrong values' noise: at most so many times, numbers


def safe_facts(dim: int, candidates: int, layers: int = 1) -> int:
    """Facts that AMP is trusted to decode from one accumulator of ``dim`` numbers."""
    share = SAFE if dim >= LARGE else SAFE_SMALL
    return int(share * decodable(candidates, layers) * dim)


@cache
def joint_accuracy(
    dim: int, facts: float, candidates: int, banks: int = 1, layers: int = 1
) -> float:
    """Share of banks that AMP decodes whole when ``facts`` hash to ``banks`` accumulators.

    A bank decodes up to :func:`safe_facts` of them; the loads are Poisson.
    """
    limit = safe_facts(dim, candidates, layers)
    if banks == 1:
        return float(facts <= limit)
    mean = max((facts - 1) / banks, 1e-300)
    loads = torch.arange(0, limit, dtype=torch.float64)
    share = torch.exp(loads * math.log(mean) - mean - torch.lgamma(loads + 1))
    return float(share.sum().clamp_max(1.0))


def joint_facts_at(level: float, dim: int, candidates: int, banks: int = 1, layers: int = 1) -> int:
    """The most facts for which :func:`joint_accuracy` is at least ``level``."""
    low, high = 0, safe_facts(dim, candidates, layers) * banks + 1
    while high - low > 1:
        middle = (low + high) // 2
        right = joint_accuracy(dim, middle, candidates, banks, layers) >= level
        low, high = (middle, high) if right else (low, middle)
    return low


def decodable(candidates: int, layers: int = 1) -> float:
    """N* / D: facts per number that AMP decodes, in the limit of large accumulators."""
    grid, error = posterior_errors(candidates)
    squares = RATIO ** (2.0 * torch.arange(layers, dtype=torch.float64))
    noise = _log_grid(HIGHEST * float(squares[-1]))
    ratio = noise / (squares * _between(noise[:, None] / squares, grid, error)).mean(-1)
    best = math.inf
    for v, facts in zip(noise.tolist(), ratio.tolist(), strict=True):
        if v > best * float(squares.mean()):
            break  # N* facts start here, so what is above is not on the path
        best = min(best, facts)
    return best


@cache
def posterior_errors(candidates: int) -> tuple[Tensor, Tensor]:
    """e(v) among M candidates: v float64 [G] ascending, and e float64 [G].

    The wrong values' noise is drawn (from a fixed seed), the true one's is integrated.
    """
    generator = torch.Generator().manual_seed(0)
    wrong = candidates - 1
    draws = max(100, min(DRAWS, BUDGET // wrong))
    grid = _log_grid(HIGHEST)
    hit = torch.linspace(-6, 6, 61, dtype=torch.float64)
    weight = torch.exp(-hit * hit / 2)
    weight /= weight.sum()
    noise = torch.randn(draws, wrong, generator=generator)
    scale = grid.rsqrt().float()[:, None]
    rows = max(1, (1 << 20) // (wrong * len(grid)))
    sums = [torch.logsumexp(part[:, None, :] * scale, -1) for part in noise.split(rows)]
    others = torch.cat(sums).double()[:, :, None]  # [draws, G, 1]
    true = (1 / grid)[:, None] + hit / grid.sqrt()[:, None]
    return grid, 1 - (torch.sigmoid(true - others) * weight).sum(-1).mean(0)


def _log_grid(highest: float) -> Tensor:
    decades = math.log10(highest / LOWEST)
    steps = math.ceil(decades * PER_DECADE) + 1
    return torch.logspace(math.log10(LOWEST), math.log10(highest), steps, dtype=torch.float64)


def _between(v: Tensor, grid: Tensor, error: Tensor) -> Tensor:
    """e(v), linear in log v between the points of the grid."""
    place = (v / grid[0]).log() / (grid[1] / grid[0]).log()
    low = place.floor().clamp(0, len(grid) - 2).long()
    weight = (place - low).clamp(0, 1)
    found = error[low] * (1 - weight) + error[low + 1] * weight
    return torch.where(place < 0, 0.0, found).clamp_min(1e-300)
