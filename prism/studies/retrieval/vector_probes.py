"""Probes of the register alone: random codes, no model. Each beside what theory says it must be.

    vsa          cos(unbind(k), v) = 1 / sqrt(N) for N facts; another key's is 0
    specificity  the mean of that cosine over the facts minus a random vector's: 1 / sqrt(N) again
    capacity     share of facts answered right, the integral of :mod:`prism.holo.capacity.theory`

The first design reported +0.355 as the "specificity" of its model. It is 1 / sqrt(8), a property of
any eight random vectors, whatever their length; no model takes part in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from prism.holo import HoloTape
from prism.holo.algebra.codes import signs
from prism.holo.capacity.theory import accuracy

CANDIDATES = 1000  # values M that a read chooses from
TRIALS = 10
VSA_FACTS = (1, 8, 50, 200, 400)
SPECIFICITY_FACTS = (1, 8, 200)
LOADS = (0.25, 0.5, 1.0, 2.0, 4.0)  # of the facts that D numbers hold at 99%
HELD = 33  # numbers per fact there, for M = 1000: only decides which loads are shown
ALPHA = 0.01


@dataclass(frozen=True)
class Probe:
    """One figure of a probe beside its theory; ``control`` is the same figure where nothing should
    be found, and ``expected`` what it should be there."""

    probe: str
    setting: str
    measures: str
    measured: float
    theory: float
    control: float
    expected: float

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def vsa(dim: int, seed: int) -> Iterator[Probe]:
    """Cosine of what is unbound with what was bound."""
    for facts in VSA_FACTS:
        true, other, _ = _cosines(dim, facts, seed)
        yield Probe(
            "vsa",
            f"D = {dim}, N = {facts}",
            "cos(unbind(key), value); control: the key of another fact",
            true,
            1 / math.sqrt(facts),
            other,
            0.0,
        )


def specificity(dim: int, seed: int) -> Iterator[Probe]:
    """The figure that the first design took for one of its model."""
    for facts in SPECIFICITY_FACTS:
        true, _, random = _cosines(dim, facts, seed)
        yield Probe(
            "specificity",
            f"D = {dim}, N = {facts}, no model",
            "cos(unbind, value) - cos(unbind, random); control: the random one",
            true - random,
            1 / math.sqrt(facts),
            random,
            0.0,
        )


def capacity(dim: int, seed: int) -> Iterator[Probe]:
    """Right answers against the number of facts; keys that were never bound as the control."""
    for load in LOADS:
        facts = max(1, round(load * dim / HELD))
        right = falsely = 0
        for trial in range(TRIALS):
            tape, keys, ids = _filled(dim, facts, seed + trial)
            hashes = tape.hash(keys)
            right += int((tape.read(hashes, alpha=1.0, decoder="filter").ids == ids).sum())
            absent = tape.hash(keys + facts)
            falsely += int(tape.read(absent, ALPHA, decoder="filter").accepted.sum())
        yield Probe(
            "capacity",
            f"D = {dim}, N = {facts}, M = {CANDIDATES}",
            f"facts answered right; control: unknown keys answered, alpha = {ALPHA:g}",
            right / (TRIALS * facts),
            accuracy(dim, facts, CANDIDATES),
            falsely / (TRIALS * facts),
            ALPHA,
        )


def _filled(dim: int, facts: int, seed: int) -> tuple[HoloTape, np.ndarray, np.ndarray]:
    """A tape of ``facts`` random facts, their keys 0..N-1 and value ids int64 [N]."""
    tape = HoloTape(dim, values=CANDIDATES, seed=seed)
    keys = np.arange(facts)
    ids = np.random.default_rng([seed, facts]).integers(CANDIDATES, size=facts)
    tape.bind_many(keys, ids)
    return tape, keys, ids


def _cosines(dim: int, facts: int, seed: int) -> tuple[float, float, float]:
    """Mean cosines of the unbound vectors with their values, of those under keys that were not
    bound with the same values, and of the first with random vectors."""
    found = torch.zeros(3, dtype=torch.float64)
    for trial in range(TRIALS):
        tape, keys, ids = _filled(dim, facts, seed + trial)
        values = signs(tape.vocabulary.codes.words(ids), dim).float()
        read = tape.unbind(tape.key_vectors(keys))
        strange = tape.unbind(tape.key_vectors(keys + facts))
        noise = torch.randn(facts, dim, generator=torch.Generator().manual_seed(seed + trial))
        found += torch.stack([_cos(read, values), _cos(strange, values), _cos(read, noise)])
    return tuple((found / TRIALS).tolist())


def _cos(x: Tensor, y: Tensor) -> Tensor:
    return torch.cosine_similarity(x.double(), y.double(), dim=-1).mean()
