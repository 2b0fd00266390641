"""Planning: how many banks of how many numbers, and of what type, for so many facts.

Reading a bank costs in proportion to its size, so the sizes are tried from small to large; a
larger bank wastes less on uneven loads. Among the sizes that reach the accuracy the one with the
fewest bytes wins, up to what is still fast to read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from prism.holo.algebra.accumulator import DTYPES
from prism.holo.algebra.codes import RATIO
from prism.holo.capacity.evolution import joint_accuracy
from prism.holo.capacity.theory import banked_accuracy

MOST_FACTS = 10**9  # an accumulator of some 40 GB; the loads of more banks are not worth computing
ONE_BANK = 8192  # numbers up to which a single bank is best
CLOSE = 1.08  # a larger size must save more than this over a smaller one, which reads faster
SIGMAS = 8.0  # a number of the accumulator beyond this many deviations is one in 10**15


@dataclass(frozen=True)
class TapePlan:
    """An accumulator for a load; ``accuracy`` is what theory predicts for it."""

    facts: int
    candidates: int
    banks: int
    dim: int
    dtype: str
    decoder: str
    layers: int
    alpha: float
    accuracy: float

    @property
    def nbytes(self) -> int:
        """Bytes of the accumulator."""
        return self.banks * self.dim * torch.empty((), dtype=DTYPES[self.dtype]).element_size()

    def __str__(self) -> str:
        return (
            f"{self.facts:,} facts, {self.candidates:,} candidates: {self.banks:,} x {self.dim} "
            f"{self.dtype} = {self.nbytes:,} bytes, {self.nbytes / self.facts:.1f} per fact, "
            f"{self.decoder} predicted right {self.accuracy:.4f}"
        )


def plan(
    facts: int,
    candidates: int,
    accuracy: float = 0.99,
    alpha: float = 0.01,
    decoder: str = "filter",
    layers: int = 1,
    dim: int | None = None,
) -> TapePlan:
    """The smallest accumulator that answers ``facts`` with at least ``accuracy``.

    Args:
        alpha: false-accept rate; refusals count as misses. 1 = the best value is always taken.
        decoder: ``"filter"``, or ``"amp"``, which needs a ledger and packs 3 to 6 times as much.
        layers: amplitude layers, for ``"amp"``.
        dim: numbers of a bank; None = chosen.

    Raises:
        ValueError: a value out of its range.
    """
    for name, value, ok, allowed in (
        ("facts", facts, _whole(facts, 1, MOST_FACTS), f"an integer in 1..{MOST_FACTS:,}"),
        ("candidates", candidates, _whole(candidates, 2), "an integer >= 2"),
        ("accuracy", accuracy, 0 < accuracy < 1, "in (0, 1)"),
        ("alpha", alpha, 0 < alpha <= 1, "in (0, 1]"),
        ("decoder", decoder, decoder in ("filter", "amp"), "'filter' or 'amp'"),
        (
            "layers",
            layers,
            _whole(layers, 1) and (layers == 1 or decoder == "amp"),
            "1, or more with amp",
        ),
        ("dim", dim, dim is None or _whole(dim, 64), "None or an integer >= 64"),
    ):
        if not ok:
            raise ValueError(f"plan {name} = {value!r}: must be {allowed}")
    sizes = (dim,) if dim else (1024, 2048, 4096) if decoder == "filter" else (2048, 4096)
    options = [_banks_of(n, facts, candidates, accuracy, alpha, decoder, layers) for n in sizes]
    smallest = min(banks * n for banks, n in zip(options, sizes, strict=True))
    if dim is None and smallest <= ONE_BANK:
        size = 64
        while predicted_accuracy(size, facts, candidates, 1, alpha, decoder, layers) < accuracy:
            size *= 2 if size < 1024 else 1
            size += 1024 if size >= 1024 else 0
        banks = 1
    else:
        close = [i for i, n in enumerate(sizes) if options[i] * n <= CLOSE * smallest]
        banks, size = options[close[0]], sizes[close[0]]
    right = predicted_accuracy(size, facts, candidates, banks, alpha, decoder, layers)
    kind = _dtype(facts / banks, layers)
    return TapePlan(facts, candidates, banks, size, kind, decoder, layers, alpha, right)


def predicted_accuracy(
    dim: int, facts: int, candidates: int, banks: int, alpha: float, decoder: str, layers: int
) -> float:
    """Share of ``facts`` answered right, in closed form: by the matched filter at ``alpha``, or by
    a joint decoder, which decodes a bank whole or not."""
    if decoder == "filter":
        return banked_accuracy(dim, facts, candidates, banks, alpha)
    return joint_accuracy(dim, facts, candidates, banks, layers)


def _banks_of(
    dim: int, facts: int, candidates: int, accuracy: float, alpha: float, decoder: str, layers: int
) -> int:
    """The fewest banks of ``dim`` numbers that reach the accuracy."""

    def reached(banks: int) -> bool:
        right = predicted_accuracy(dim, facts, candidates, banks, alpha, decoder, layers)
        return right >= accuracy

    low, high = 0, 1
    while not reached(high):
        low, high = high, 2 * high
        if high > facts * 64:
            raise ValueError(f"plan dim = {dim}: too few numbers for accuracy {accuracy}")
    while high - low > max(1, high // 1000):
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def _dtype(load: float, layers: int) -> str:
    """The narrowest integer that a bank of this mean load stays within."""
    most = load + 6 * math.sqrt(load) + 6
    loud = sum(RATIO ** (2 * j) for j in range(layers)) / layers
    reach = SIGMAS * math.sqrt(most * loud)
    return next(k for k in ("int8", "int16", "int32") if reach < torch.iinfo(DTYPES[k]).max)


def _whole(value: object, low: int, high: float = math.inf) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
