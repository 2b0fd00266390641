"""Recall of one fact: the matched filter, calibrated by the accumulator's own norm.

    s_m = <k_q * H, v_m> / (a D),     tau = |H| / (a D)        a the key's amplitude
    answer  argmax_m s_m  if  s_max / tau > Phi^-1((1 - alpha)^(1/M)),  else "unknown"

Unbinding ``k_q * H`` gives the value's code under the cross-talk of the other facts; the cleanup
compares it with all M codes. Nothing is fitted: the threshold and the posterior are the closed
forms of :mod:`prism.holo.capacity.theory`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from prism.holo.algebra.accumulator import Accumulator
from prism.holo.algebra.codebook import Codebook
from prism.holo.algebra.codes import amplitude_of, bank_of, code_words, sign_codes, signs
from prism.holo.capacity.theory import posteriors, quantile, tail

GUESS = 0.5  # probability that an unlisted key is a misspelt one: prior odds, nothing measured
BLOCK = 4096  # facts checked at once


@dataclass(frozen=True)
class Recall:
    """An answer.

    Attributes:
        value: what is stored under the key; None = unknown.
        posterior: probability of the answer: that it is this value, or, where the value is None,
            that the key is not stored (a listed key: that its best value is wrong). It is about
            the key that was asked for: a guess has at most :data:`GUESS`.
        p_value: chance that an unknown key reads as well as this one did; 1 for a guess, as the
            key that was asked for is not stored.
        source: name of the source that bound it, where a ledger knows.
        method: what decided: a decoder (``"filter"``, ``"sic"``, ``"amp"``), or ``"ledger"``:
            the key is not in the key list, so that the accumulator was not read, or it is and the
            accumulator could not be read safely, so that the list's value is the answer.
        key_used: the key that was looked up.
        resolved_from: the key that was asked for, when the resolver replaced it.
    """

    value: Any
    posterior: float
    p_value: float
    source: str | None = None
    method: str = "filter"
    key_used: Any = None
    resolved_from: Any = None

    @property
    def guess(self) -> bool:
        """True if another key than the one asked for was read: "did you mean ...?"."""
        return self.resolved_from is not None


@dataclass(frozen=True)
class Readout:
    """Best values of N key hashes and how sure they are, as arrays.

    Attributes:
        ids: int64 [N], the best value of each.
        posterior: float64 [N], probability of that value.
        unknown: float64 [N], probability that the key is not stored.
        p_value: float64 [N], of the best score under noise alone.
        accepted: bool [N], whether the best score is above the threshold.
    """

    ids: np.ndarray
    posterior: np.ndarray
    unknown: np.ndarray
    p_value: np.ndarray
    accepted: np.ndarray


def read(
    accumulator: Accumulator,
    codes: Codebook,
    hashes: np.ndarray,
    alpha: float,
    known: float = 0.5,
    layers: int = 1,
) -> Readout:
    """Matched filter of N hashes uint64 against all M values.

    Args:
        alpha: rate at which unknown keys are answered.
        known: prior probability that a key is stored.
        layers: amplitude layers of the tape.
    """
    banks = torch.from_numpy(bank_of(hashes, accumulator.banks)).to(accumulator.numbers.device)
    scale = torch.from_numpy(amplitude_of(hashes, layers))

    def vectors(part: slice) -> Tensor:
        rows = accumulator.numbers[banks[part]]
        if rows.dtype == torch.int8 and layers == 1:
            # a sign turns the numbers of an int8 accumulator within their range, -127..127
            return rows.mul_(sign_codes(hashes[part], accumulator.dim).to(rows.device))
        rows = rows if rows.dtype == torch.float64 else rows.float()
        if layers > 1:
            rows = rows / scale[part, None].to(rows)
        return rows.mul_(sign_codes(hashes[part], accumulator.dim).to(rows))

    return clean_up(vectors, len(hashes), codes, alpha, known)


def check(
    accumulator: Accumulator,
    codes: Codebook,
    hashes: np.ndarray,
    ids: np.ndarray,
    alpha: float,
    known: float,
    layers: int = 1,
) -> Readout:
    """Matched filter of N hashes uint64 against one value each, that of ``ids`` int64 [N]: whether
    it reads as the best of all M would have to.

    The M - 1 other values are not scored but expected: the mean of ``exp(s / tau^2)`` over noise
    ``s ~ N(0, tau^2)`` is ``exp(1 / (2 tau^2))``, so together they have the probability
    ``known (M - 1) / M`` before normalisation (:func:`~prism.holo.capacity.theory.posteriors`). One
    product instead of M, for vocabularies whose matrix of codes would be large.
    """
    size, dim = len(codes), accumulator.dim
    score, tau = np.zeros(len(hashes)), np.ones(len(hashes))
    for low in range(0, len(hashes), BLOCK):
        part = slice(low, low + BLOCK)
        banks = torch.from_numpy(bank_of(hashes[part], accumulator.banks))
        rows = accumulator.numbers[banks.to(accumulator.numbers.device)].double().cpu()
        rows /= torch.from_numpy(amplitude_of(hashes[part], layers))[:, None]
        product = signs(code_words(hashes[part], dim) ^ codes.words(ids[part]), dim)
        score[part] = ((rows * product).sum(-1) / dim).numpy()
        tau[part] = (torch.linalg.vector_norm(rows, dim=-1) / dim).clamp_min(1e-9).numpy()
    z = torch.from_numpy(score / tau)
    own = (score - 0.5) / tau**2 + np.log(known / size)
    total = np.logaddexp(own, np.log(known * (size - 1) / size + 1 - known))
    posterior, unknown = np.exp(own - total), np.exp(np.log1p(-known) - total)
    accepted = z.numpy() > quantile(alpha, size)
    return Readout(ids, posterior, unknown, tail(z, size).numpy(), accepted)


def clean_up(
    vectors: Callable[[slice], Tensor], count: int, codes: Codebook, alpha: float, known: float
) -> Readout:
    """Best codes of N unbound vectors.

    Args:
        vectors: gives ``k_q * H`` [n, D] of a slice of the N queries, a block at a time.
        count: N.
        codes: the M codes.
        alpha, known: as in :func:`read`.
    """
    size = len(codes)
    if size == 0 or count == 0:
        nothing = np.zeros(count)
        none = np.full(count, -1)
        return Readout(none, nothing, nothing + 1, nothing + 1, nothing > 0)
    level, parts = quantile(alpha, size), []
    rows = max(1, codes.block // max(size, codes.dim))
    for low in range(0, count, rows):
        read_ = vectors(slice(low, low + rows))
        # Signs keep the length, so the noise of a read is the norm of its accumulator.
        exact = read_ if read_.is_floating_point() else read_.float()
        tau = torch.linalg.vector_norm(exact, dim=-1) / codes.dim
        scores = codes.scores(read_).div_(codes.dim)
        best, ids = scores.max(-1)
        z = best / tau.clamp_min(1e-12)
        posterior, unknown = posteriors(scores, tau, known)  # overwrites the scores
        parts.append((ids, posterior, unknown, tail(z, size), z > level))
    return Readout(*(torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True)))
