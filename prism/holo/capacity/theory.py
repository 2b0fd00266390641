"""What a superposition can hold, in closed form: no measurement and no fitted constant.

N facts in D numbers, M candidate values, random keys. The score of the true value and of a wrong
one are Gaussian, hit ~ N(D, D (N - 1)) and miss ~ N(0, D N), so with SNR^2 = D / N

    p_corr = integral phi(z) Phi( (sqrt(D) + z sqrt(N - 1)) / sqrt(N) )^(M-1) dz

(Frady, Kleyko & Sommer 2018, Neural Computation 30:1449). The noise is known from the accumulator
itself, tau^2 = |H|^2 / D^2, hence the threshold that an unknown key passes with probability alpha:

    t = tau Phi^-1( (1 - alpha)^(1/M) ).

Facts hash to banks, so a fact shares its accumulator with a Poisson number of others.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

POINTS, REACH = 8001, 9.0  # of the trapezoid over z


@lru_cache(maxsize=1 << 16)
def accuracy(dim: int, facts: float, candidates: int, alpha: float = 1.0) -> float:
    """Probability that a stored fact of one accumulator is answered right.

    Args:
        dim: numbers D of the accumulator.
        facts: facts N in it, this one included; >= 1, need not be whole.
        candidates: values M to choose from.
        alpha: false-accept rate; a refusal is a miss. 1 = the best value is always answered.
    """
    spread, noise = math.sqrt(max(facts - 1, 0)), math.sqrt(facts)
    low = -REACH
    if alpha < 1:
        level = quantile(alpha, candidates) * noise - math.sqrt(dim)
        if spread == 0:
            return float(level <= 0)
        low = min(max(low, level / spread), REACH)
    z = torch.linspace(low, REACH, POINTS, dtype=torch.float64)
    others = torch.special.log_ndtr((math.sqrt(dim) + z * spread) / noise)
    density = torch.exp(-z * z / 2 + (candidates - 1) * others) / math.sqrt(2 * math.pi)
    return float(torch.trapezoid(density, z))


def banked_accuracy(
    dim: int, facts: float, candidates: int, banks: int = 1, alpha: float = 1.0
) -> float:
    """:func:`accuracy` of ``facts`` hashed to ``banks`` accumulators of ``dim`` numbers each.

    A fact's companions are Poisson with mean (facts - 1) / banks; one bank has no chance in it.
    """
    if banks == 1:
        return accuracy(dim, max(facts, 1.0), candidates, alpha)
    mean = (facts - 1) / banks
    low = max(0, math.floor(mean - 6 * math.sqrt(mean) - 3))
    high = math.ceil(mean + 7 * math.sqrt(mean) + 8)
    step = 1 << ((high - low) // 60).bit_length()  # accuracy is smooth: some 40 loads describe it
    low -= low % step
    loads = torch.arange(low, high + 1, dtype=torch.float64)
    log_share = loads * math.log(max(mean, 1e-300)) - mean - torch.lgamma(loads + 1)
    share = torch.exp(log_share)
    coarse = torch.arange(low, high + step, step, dtype=torch.float64)
    found = torch.tensor([accuracy(dim, float(n) + 1, candidates, alpha) for n in coarse])
    return float((share * _between(coarse, found.double(), loads)).sum() / share.sum())


def facts_at(level: float, dim: int, candidates: int, banks: int = 1, alpha: float = 1.0) -> int:
    """The most facts that are answered right with probability >= ``level``; 0 if not even one."""
    if banked_accuracy(dim, 1, candidates, banks, alpha) < level:
        return 0
    low, high = 1, 2
    while banked_accuracy(dim, high, candidates, banks, alpha) >= level:
        low, high = high, 2 * high
    while high - low > max(1, low // 10_000):
        middle = (low + high) // 2
        right = banked_accuracy(dim, middle, candidates, banks, alpha) >= level
        low, high = (middle, high) if right else (low, middle)
    return low


def quantile(alpha: float, candidates: int) -> float:
    """Threshold in units of tau that the best of ``candidates`` noise scores passes with
    probability ``alpha`` in (0, 1]; -inf at 1."""
    if alpha == 1:
        return -math.inf
    level = torch.tensor(math.log1p(-alpha) / candidates, dtype=torch.float64)
    # 1 - (1 - alpha)^(1/M) would lose its digits near 1, so the upper tail is inverted instead.
    return -float(torch.special.ndtri(-torch.expm1(level)))


def tail(score: Tensor, candidates: int) -> Tensor:
    """p-value [N] of best scores [N] (in units of tau): chance that noise reaches as high."""
    below = torch.special.log_ndtr(score.double())
    return -torch.expm1(candidates * below)


def posteriors(scores: Tensor, tau: Tensor, known: float) -> tuple[Tensor, Tensor]:
    """Probability of the best value and of "unknown"; what is left belongs to other values.

        ln p_m = s_m / tau^2 - 1 / (2 tau^2) + ln(known / M) - ln Z,   ln p_0 = ln(1 - known) - ln Z

    Args:
        scores: [N, M], 1 where a value is stored without noise; overwritten.
        tau: [N] noise of the scores.
        known: prior probability that a key is stored, in (0, 1).

    Returns:
        [N] and [N], float64.
    """
    precision = tau.clamp_min(1e-9) ** -2
    top = scores.amax(-1)
    # The same as logsumexp, which torch computes several times slower on a CPU.
    rest = scores.sub_(top[:, None]).mul_(precision[:, None]).exp_().sum(-1).double().log()
    best = (top.double() - 0.5) * precision.double() + math.log(known / scores.shape[-1])
    unknown = torch.full_like(best, math.log1p(-known))
    total = torch.logaddexp(best + rest, unknown)
    return (best - total).exp(), (unknown - total).exp()


def _between(x: Tensor, y: Tensor, at: Tensor) -> Tensor:
    """Linear interpolation of (x, y) [K], x ascending, at [N]."""
    right = torch.searchsorted(x, at).clamp(1, max(len(x) - 1, 1))
    if len(x) == 1:
        return y.expand(len(at))
    left = right - 1
    weight = (at - x[left]) / (x[right] - x[left])
    return y[left] + weight * (y[right] - y[left])
