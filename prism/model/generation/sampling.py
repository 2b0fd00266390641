"""Choice of the next token: logits to probabilities, probabilities to one token per row.

    repetition penalty -> processors -> temperature -> top-k -> top-p -> min-p -> softmax -> draw

The order is that of ``transformers``, whose logits processors serve here as they are. A draw is the
inverse of the distribution function at one number ``u`` in [0, 1) per row and token,

    token = min{ v : p_0 + ... + p_v > u },     u = mix(mix(seed) + (n + 1) GAMMA) / 2^64,

where n counts the row's draws and mix is SplitMix64's (Steele, Lea & Flood 2014). A row's numbers
depend on its seed and n alone, so a row draws the same in every batch, on every device, and however
often it is stopped and continued.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor

from prism.ops.rolling import mix
from prism.splitmix import GAMMA

# tokens so far [B, T] and logits [B, V] to logits; as LogitsProcessor of transformers
Processor = Callable[[Tensor, Tensor], Tensor]
COLDEST = 1e-30  # below it no difference of logits in fp32 leaves a second token any probability
SEEDS = 2**63


def _number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def is_count(value: Any) -> bool:
    """True for an integer, numpy's too, and not for a bool."""
    return isinstance(value, Integral) and not isinstance(value, bool)


# of each argument: the values it may have, in words and as a test
RANGES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "max_new_tokens": (">= 0", lambda x: is_count(x) and x >= 0),
    "temperature": ("a number >= 0", lambda x: _number(x) and x >= 0),
    "top_k": ("None or >= 1", lambda x: x is None or (is_count(x) and x >= 1)),
    "top_p": (
        "None or above 0 and at most 1",
        lambda x: x is None or (_number(x) and 0 < x <= 1),
    ),
    "min_p": ("None or in [0, 1]", lambda x: x is None or (_number(x) and 0 <= x <= 1)),
    "repetition_penalty": (
        "a finite number above 0",
        lambda x: _number(x) and 0 < x < math.inf,
    ),
}


def check(name: str, value: Any, label: str = "") -> None:
    """Refuse a value out of range.

    Args:
        name: one of :data:`RANGES`.
        label: the argument as the caller spells it, such as ``"--top-p "``; by default
            ``"top_p = "``.

    Raises:
        ValueError: names the argument, the value and what is allowed.
    """
    allowed, holds = RANGES[name]
    if not holds(value):
        if label:  # there is no None to be typed
            allowed = allowed.removeprefix("None or ")
        raise ValueError(f"{label or f'{name} = '}{value}: must be {allowed}")


@dataclass(frozen=True)
class Sampling:
    """Rule by which tokens are chosen.

    Attributes:
        temperature: logits are divided by it; 0 = always the likeliest token (of equal ones the
            one of the lowest id), ``inf`` = all that are left are equally likely.
        top_k: keep the k likeliest tokens (of equal ones those of the lowest ids); None = all.
        top_p: keep the likeliest tokens whose probabilities first reach this sum (nucleus sampling,
            Holtzman et al. 2020).
        min_p: keep tokens at least this fraction as probable as the likeliest (Nguyen et al. 2024).
        repetition_penalty: a token that is already there has a positive logit divided and a
            negative one multiplied by it (CTRL, Keskar et al. 2019); 1 = none.
        processors: called in order, ``logits = p(tokens so far, logits)``, before the temperature.

    Raises:
        ValueError: a value out of range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float = 1.0
    processors: Sequence[Processor] = ()

    def __post_init__(self) -> None:
        for name in RANGES.keys() - {"max_new_tokens"}:
            check(name, getattr(self, name))
        several = isinstance(self.processors, Sequence)
        if not several or not all(callable(x) for x in self.processors):
            raise ValueError(f"processors = {self.processors!r}: must be a list of functions")

    @property
    def reads_history(self) -> bool:
        """True where the tokens so far matter."""
        return self.repetition_penalty != 1 or len(self.processors) > 0

    def processed(self, tokens: Tensor, logits: Tensor) -> Tensor:
        """Logits ``[B, V]`` after the repetition penalty and the processors.

        Args:
            tokens: ``[B, T]`` tokens so far, without padding.
            logits: ``[B, V]``.

        Raises:
            ValueError: a processor gave something else than ``[B, V]`` logits.
        """
        if self.repetition_penalty != 1:
            penalised = torch.where(
                logits > 0, logits / self.repetition_penalty, logits * self.repetition_penalty
            )
            there = torch.zeros_like(logits, dtype=torch.bool).scatter(1, tokens, True)
            logits = torch.where(there, penalised, logits)
        for processor in self.processors:
            shape, logits = logits.shape, processor(tokens, logits)
            if not isinstance(logits, Tensor) or logits.shape != shape:
                got = list(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
                raise ValueError(
                    f"processor {processor!r} gave {got}: must be {list(shape)} logits"
                )
        return logits

    def kept(self, logits: Tensor) -> Tensor:
        """Logits over the temperature, ``-inf`` where top-k, top-p or min-p leave a token out; the
        largest of a row is 0. ``[B, V]`` to ``[B, V]``."""
        x = logits - logits.amax(dim=-1, keepdim=True)
        if self.temperature == math.inf:
            x = torch.where(x == -math.inf, x, 0.0)
        else:
            x = x / max(self.temperature, COLDEST)
        if self.top_k is not None:  # by the logits: at an infinite temperature all are equal
            x = x.masked_fill(_beyond(logits, self.top_k), -math.inf)
        if self.top_p is not None and self.top_p < 1:
            x = x.masked_fill(~_nucleus(x, self.top_p), -math.inf)
        if self.min_p:
            x = x.masked_fill(x < math.log(self.min_p), -math.inf)
        return x

    @property
    def draws(self) -> bool:
        """True where a random number decides."""
        return self.temperature > 0 and self.top_k != 1

    def choose(self, logits: Tensor, uniform: Tensor | None) -> Tensor:
        """Choose one token per row.

        Args:
            logits: ``[B, V]``, processed.
            uniform: ``[B]`` fp64 in [0, 1); None = not :attr:`draws`.

        Returns:
            ``[B]`` int64 ids.

        Raises:
            ValueError: logits that are NaN or +inf, or a row of -inf only.
        """
        best, likeliest = logits.max(dim=-1)
        # the sum first: one small operation tells that all is well
        if not math.isfinite(best.sum().item()) and not best.isfinite().all():
            row = int((~best.isfinite()).nonzero()[0])
            what = "hold NaN or +inf" if best[row] != -math.inf else "leave no token"
            raise ValueError(f"logits of row {row} {what}: must be finite, or -inf for some tokens")
        if uniform is None:
            return likeliest
        mass = self.kept(logits).softmax(dim=-1).cumsum(dim=-1, dtype=torch.float64)
        # u is at most 1 - 2^-53, so the product is rounded to less than the total, and the first
        # sum above it is that of a token with a probability
        at = uniform[:, None] * mass[:, -1:]
        return torch.searchsorted(mass, at, right=True)[:, 0]


def _beyond(x: Tensor, k: int) -> Tensor:
    """``[B, V]`` True but at the k largest of each row; of equal ones, those of the lowest ids."""
    if k >= x.shape[-1]:
        return torch.zeros_like(x, dtype=torch.bool)
    worst = x.topk(k, dim=-1).values[:, -1:]
    below = x < worst
    if int(below.sum()) == (x.shape[-1] - k) * len(x):
        return below  # nothing is equal to the k-th
    equal = x == worst
    room = k - (x > worst).sum(dim=-1, keepdim=True)
    return below | (equal & (equal.cumsum(dim=-1) > room))


def _nucleus(x: Tensor, p: float) -> Tensor:
    """``[B, V]`` True at the fewest likeliest tokens whose probabilities sum to at least p."""
    order = x.argsort(dim=-1, descending=True, stable=True)
    probability = x.softmax(dim=-1).gather(-1, order)
    before = probability.cumsum(dim=-1, dtype=torch.float64) - probability
    return torch.zeros_like(x, dtype=torch.bool).scatter(-1, order, before < p)


def row_seeds(seed: int | Sequence[int] | None, rows: int) -> Tensor:
    """Seeds of the rows ``[B]`` int64: ``seed + i`` for row i, so that row 0 of a batch draws what
    it draws alone; those given, if one is given per row; None = from torch's global generator.

    Raises:
        ValueError: a seed that is no integer in [0, 2^63), or not one per row.
    """
    if seed is None:
        return torch.randint(SEEDS - 1, (rows,))
    several = isinstance(seed, Sequence)
    if not several and not is_count(seed):
        raise ValueError(f"seed = {seed!r}: must be an integer >= 0 and below 2**63")
    seeds = list(seed) if several else [(int(seed) + i) % SEEDS for i in range(rows)]
    for one in seeds if several else [seed]:
        if not (is_count(one) and 0 <= one < SEEDS):
            raise ValueError(f"seed = {one!r}: must be an integer >= 0 and below 2**63")
    if len(seeds) != rows:
        raise ValueError(f"seed = {seeds}: must be one integer, or one for each of {rows} rows")
    return torch.tensor([int(one) for one in seeds], dtype=torch.int64)


def uniforms(seeds: Tensor, first: int, count: int) -> Tensor:
    """Numbers in [0, 1) of draws ``first .. first + count - 1``: ``[B]`` seeds to ``[B, count]``
    fp64 of 53 bits."""
    step = GAMMA - 2**64  # as a signed number
    draws = torch.arange(first + 1, first + count + 1, device=seeds.device) * step
    words = mix(mix(seeds)[:, None] + draws)
    return ((words >> 11) & (2**53 - 1)).double() * 2.0**-53
