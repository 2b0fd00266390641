"""Joint decoding: all facts of a bank at once, from the ledger's list of keys.

The accumulator is y = sum_i a_i k_i * v_{c_i} without noise: a sparse superposition code whose
columns are known. The matched filter takes the other facts for noise; decoding them jointly removes
their cross-talk.

Successive cancellation (``"sic"``): read all keys, fix the most certain tenth, subtract, repeat.

Approximate message passing (``"amp"``), x_i the posterior over the M values of fact i:

    s_i   = a_i x_i + <k_i * z, v> / D                      tau^2 = |z|^2 / D^2
    x_i   = softmax( a_i s_i / tau^2 )
    z     = y - sum_i a_i k_i * V x_i  +  z sum_i a_i^2 (1 - |x_i|^2) / (D tau^2)

(Barbier & Krzakala, arXiv 1503.08040.) With amplitudes a_i = 3^j the loud facts decode first. If
the residual of the decided values is zero, they are the solution: the decoder knows that it is
right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from prism.holo.algebra.accumulator import Accumulator
from prism.holo.algebra.codebook import Codebook
from prism.holo.algebra.codes import amplitude_of, bank_of, sign_codes
from prism.holo.capacity.theory import tail
from prism.holo.ledger import Ledger
from prism.holo.recall import Readout

SWEEPS = 60
STALLED = 1e-3  # relative change of the residual below which AMP has come to rest
SHARE = 10  # successive cancellation fixes one of so many undecided facts per sweep


@dataclass(frozen=True)
class Decoded:
    """All facts of one bank, by ascending key hash.

    Attributes:
        hashes: uint64 [n].
        ids: int64 [n], the value of each.
        posterior: float64 [n], of that value.
        p_value: float64 [n], of its score under the noise that was left; 0 if ``exact``.
        exact: the values reproduce the accumulator to the last number.
    """

    hashes: np.ndarray
    ids: np.ndarray
    posterior: np.ndarray
    p_value: np.ndarray
    exact: bool


class JointDecoder:
    """Decoded banks of one accumulator, kept until the bank is next written.

    Args:
        codes: of the values.
        ledger: lists the keys of each bank.
        layers: amplitude layers.
    """

    def __init__(
        self, accumulator: Accumulator, codes: Codebook, ledger: Ledger, layers: int
    ) -> None:
        self._accumulator, self._codes, self._ledger = accumulator, codes, ledger
        self._layers = layers
        self._done: dict[tuple[str, int], Decoded] = {}
        self._rows: tuple[np.ndarray, np.ndarray] | None = None

    def invalidate(self, banks: np.ndarray) -> None:
        """Drop what was decoded of the banks int64 [n], which have been written."""
        self._rows = None
        if self._done:
            written = set(banks.tolist())
            self._done = {k: v for k, v in self._done.items() if k[1] not in written}

    def decode(self, bank: int, decoder: str = "amp") -> Decoded:
        """All facts of one bank, by ``"amp"`` or ``"sic"``."""
        if (decoder, bank) not in self._done:
            hashes = np.sort(self._keys_of(bank))
            target = self._accumulator.numbers[bank].double()
            problem = Superposition(hashes, target, self._codes, self._layers)
            self._done[decoder, bank] = solve(problem, decoder)
        return self._done[decoder, bank]

    def read(self, hashes: np.ndarray, decoder: str, alpha: float) -> Readout:
        """The readout of N key hashes; keys that are not listed read as nothing."""
        ids = np.full(len(hashes), -1)
        posterior, p_value = np.zeros(len(hashes)), np.ones(len(hashes))
        banks = bank_of(hashes, self._accumulator.banks)
        for bank in np.unique(banks):
            decoded = self.decode(int(bank), decoder)
            mine = np.flatnonzero(banks == bank)
            place = np.searchsorted(decoded.hashes, hashes[mine])
            place = np.minimum(place, max(len(decoded.hashes) - 1, 0))
            if len(decoded.hashes):
                listed = decoded.hashes[place] == hashes[mine]
                mine, place = mine[listed], place[listed]
                ids[mine] = decoded.ids[place]
                posterior[mine], p_value[mine] = decoded.posterior[place], decoded.p_value[place]
        return Readout(ids, posterior, 1 - posterior, p_value, p_value <= alpha)

    def _keys_of(self, bank: int) -> np.ndarray:
        if self._rows is None:
            keys = self._ledger.column("key")[self._ledger.live_rows()]
            banks = bank_of(keys, self._accumulator.banks)
            order = np.argsort(banks, kind="stable")
            self._rows = banks[order], keys[order]
        banks, keys = self._rows
        return keys[np.searchsorted(banks, bank) : np.searchsorted(banks, bank, "right")]


class Superposition:
    """y [D] and the keys [n] whose values it holds.

    Args:
        hashes: uint64 [n].
        target: y.
        codes: the M codes.
        layers: amplitude layers.
    """

    def __init__(self, hashes: np.ndarray, target: Tensor, codes: Codebook, layers: int) -> None:
        self.hashes, self.codes, self.dim = hashes, codes, codes.dim
        self.target = target.float()
        self.keys = sign_codes(hashes, codes.dim).to(target.device)
        amplitude = torch.from_numpy(amplitude_of(hashes, layers))
        self.amplitude = amplitude.to(self.target)[:, None]

    def scores(self, residual: Tensor, part: Tensor) -> Tensor:
        """<k_i * z, v> / D for the facts ``part`` [m]: [m, M]."""
        return self.codes.scores(self.keys[part] * residual) / self.dim

    def sum(self, weights: Tensor, part: Tensor) -> Tensor:
        """sum over ``part`` of a_i k_i * V x_i: [D], from x [m, M]."""
        combined = self.codes.combine(weights * self.amplitude[part])
        return (combined * self.keys[part]).sum(0)

    def parts(self) -> list[Tensor]:
        """All facts, in blocks whose scores and keys fit a cache."""
        rows = max(1, self.codes.block // max(len(self.codes), self.dim))
        every = torch.arange(len(self.hashes), device=self.target.device)
        return list(every.split(rows))

    def result(self, ids: Tensor, posterior: Tensor, score: Tensor) -> Decoded:
        """The decoded bank, with the check that the values reproduce the accumulator."""
        residual = self.target.double()
        for part in self.parts():
            chosen = torch.nn.functional.one_hot(ids[part], len(self.codes)).to(self.target)
            residual = residual - self.sum(chosen, part).double()
        exact = not bool(residual.abs().max() > 0.5)
        p = torch.zeros(len(ids)) if exact else tail(score, len(self.codes))
        columns = (ids, posterior.double() if not exact else torch.ones(len(ids)), p.double())
        return Decoded(self.hashes, *(c.cpu().numpy() for c in columns), exact)


def solve(problem: Superposition, decoder: str) -> Decoded:
    """Decode a bank by ``"amp"`` or ``"sic"``; one without facts decodes to nothing."""
    if len(problem.hashes) == 0:
        nothing = np.zeros(0)
        return Decoded(problem.hashes, np.zeros(0, np.int64), nothing, nothing, True)
    return (message_passing if decoder == "amp" else successive_cancellation)(problem)


def message_passing(problem: Superposition) -> Decoded:
    """Approximate message passing; see the module's equation."""
    n, size, y = len(problem.hashes), len(problem.codes), problem.target
    x = torch.zeros(n, size, device=y.device)
    z, rest = y, float(y.norm())
    for _ in range(SWEEPS):
        variance = max(rest / problem.dim, 1e-6) ** 2
        total, onsager = torch.zeros_like(y), 0.0
        for part in problem.parts():
            a = problem.amplitude[part]
            s = problem.scores(z, part).add_(a * x[part])
            x[part] = torch.softmax(s * (a / variance), -1)
            total += problem.sum(x[part], part)
            onsager += float((a[:, 0] ** 2 * (1 - x[part].square().sum(-1))).sum())
        z = y - total + z * (onsager / (problem.dim * variance))
        before, rest = rest, float(z.norm())
        if rest < 1e-3 or abs(rest - before) < STALLED * before:
            break
    posterior, ids = x.max(-1)
    score = torch.empty(n, device=y.device)
    tau = max(rest / problem.dim, 1e-6)
    for part in problem.parts():
        s = problem.scores(z, part) + problem.amplitude[part] * x[part]
        score[part] = s.gather(1, ids[part, None])[:, 0] / tau
    return problem.result(ids, posterior, score)


def successive_cancellation(problem: Superposition) -> Decoded:
    """Hard decisions, the most certain first."""
    n, residual = len(problem.hashes), problem.target.clone()
    ids = torch.zeros(n, dtype=torch.long, device=residual.device)
    score = torch.zeros(n, device=residual.device)
    posterior = torch.zeros(n, device=residual.device)
    left = torch.arange(n, device=residual.device)
    while len(left):
        tau = max(float(residual.norm()) / problem.dim, 1e-6)
        a = problem.amplitude[left]
        s = problem.scores(residual, left)
        best = s.topk(min(2, s.shape[1]), -1)
        ids[left], score[left] = best.indices[:, 0], best.values[:, 0] / tau
        posterior[left] = torch.softmax(s * (a / tau**2), -1).max(-1).values
        lead = (best.values[:, 0] - best.values[:, -1]) * a[:, 0]
        sure = lead.topk(max(1, len(left) // SHARE)).indices
        fixed = left[sure]
        chosen = torch.nn.functional.one_hot(ids[fixed], s.shape[1]).to(residual)
        residual = residual - problem.sum(chosen, fixed)
        keep = torch.ones(len(left), dtype=torch.bool, device=residual.device)
        keep[sure] = False
        left = left[keep]
    return problem.result(ids, posterior, score)
