"""Token ids at hashed addresses: the accumulator behind facts in a language model.

A view of HoloTape's core (accumulator, Hadamard codebook, ledger) for answers that are sequences of
token ids. An address is a 64-bit hash; what it holds is one of V ids, as one Hadamard code per id.
All V scores of a read come from a few Walsh-Hadamard transforms, so there is no V x D codebook:

    H[b] += k(address) * v_token            z = max_v <k * H[b], v> / |H[b]|,   about sqrt(D / N)

The threshold for z is ``quantile(alpha, V)``, whatever the accumulator holds. Sums are integers, so
taking a write back leaves no trace. Token j of the answer under ``root`` is at the address
``position_hashes(root, j)``; the ledger lists it, which makes forgetting exact, and is never asked
for an answer. Each token lies in the bank of its own address, so neither a long answer nor a
subject of many relations fills one bank, and an accumulator that may grow is rebuilt with more
banks, exactly, before its tokens become too many to be read whole.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from prism.holo.algebra.accumulator import Accumulator
from prism.holo.algebra.codebook import HadamardCodebook
from prism.holo.algebra.codes import bank_of, position_hashes, sign_codes
from prism.holo.capacity.room import Room, item_accuracy
from prism.holo.capacity.theory import facts_at, quantile
from prism.holo.ledger import FORGOTTEN, Ledger

DIM = 32_768  # numbers of a bank
POOR = 0.9  # of a single token: a bank of a fixed register that is fuller takes no answer
FALSE_READ, ACCURACY = 1e-5, 0.99999  # of a single token of an answer: long ones stay whole
SPREAD = 4  # standard deviations of the tokens of a bank that there is room for
SPARE = 2  # times the tokens that a grown accumulator has room for


class AddressRead(NamedTuple):
    """The best token int64 [N] at each address and its z-score float32 [N]."""

    tokens: Tensor
    z: Tensor


class AnswerAccumulator:
    """An integer accumulator from addresses to token ids.

    Args:
        dim: numbers D of a bank; a power of two reads fastest.
        vocab_size: V, the ids are 0..V-1.
        banks: B; an address is held in the bank of its hash, unless a call names banks.
        seed: of the token codes.
        dtype: integer type of the sums.
        grow: take more banks where :meth:`bind` would leave too many tokens to be read whole.
    """

    def __init__(
        self,
        dim: int = DIM,
        vocab_size: int = 65_536,
        banks: int = 1,
        seed: int = 0,
        dtype: str = "int16",
        device: str | torch.device = "cpu",
        grow: bool = False,
    ) -> None:
        if vocab_size < 2:
            raise ValueError(f"vocab_size = {vocab_size}: must be >= 2")
        self.accumulator = Accumulator(banks, dim, dtype, device)
        self.codes = HadamardCodebook(dim, vocab_size, seed)
        self.ledger = Ledger()
        self.room = max(1, facts_at(POOR, dim, vocab_size, alpha=FALSE_READ))
        self._held = np.zeros(banks, np.int64)
        self.grow, self._room = grow, Room(dim, banks, FALSE_READ, "filter", 1)

    @property
    def H(self) -> Tensor:
        """The sums [B, D]."""
        return self.accumulator.numbers

    def threshold(self, alpha: float) -> float:
        """The z that an address that was never written passes with probability ``alpha``."""
        return quantile(alpha, len(self.codes))

    def bind(self, root: np.uint64, tokens: Sequence[int], source: str | None = None) -> None:
        """Write an answer, in place of an earlier one under the same root; every token goes to the
        bank of its own address, so neither a long answer nor a subject with many fills one.

        Raises:
            ValueError: no token, one outside 0..V-1, or no room; nothing is changed.
        """
        if not len(tokens):
            raise ValueError("tokens = []: must hold at least one token id")
        ids = self._checked(tokens)
        places = np.arange(len(ids))
        addresses = position_hashes(np.full(len(ids), root), places)
        full = self._held + np.bincount(self._banks(addresses, None), minlength=len(self._held))
        if not self.grow and full.max() > self.room:
            raise ValueError(
                f"an answer of {len(ids)} tokens: the register is too full for it; "
                f"{self._held.sum():,} tokens are held in {len(full)} banks of {self.room:,}"
            )
        if root in self:
            self.forget(root)
        if self.grow:
            self._make_room(self.ledger.live + len(ids), self.ledger.live_facts + 1)
        self.write(addresses, ids)
        self.ledger.append(addresses, ids, places, self.ledger.source_id(source), time.time())

    def _make_room(self, tokens: int, answers: int) -> None:
        """Rebuild with more banks if so many tokens of so many answers would not be read whole."""
        level, size = item_accuracy(ACCURACY, tokens, answers), len(self.codes)
        if self._room.fits(tokens, size, level):
            return
        old, banks = self.accumulator, self.accumulator.banks
        while not self._room.fits(SPARE * tokens, size, level):
            banks *= 2
            self._room = Room(old.dim, banks, FALSE_READ, "filter", 1)
        rows, column = self.ledger.live_rows(), self.ledger.column
        new = Accumulator(banks, old.dim, old.dtype, self.H.device)
        signs = np.ones(len(rows), np.int64)
        new.bind(column("key")[rows], column("value")[rows], self.codes, signs)
        self.accumulator = new
        self._held = np.bincount(bank_of(column("key")[rows], banks), minlength=banks)

    def forget(self, root: np.uint64) -> None:
        """Take an answer out again, exactly.

        Raises:
            KeyError: nothing is bound under the root.
        """
        if root not in self:
            raise KeyError(f"root {root}: is not bound")
        rows = self.ledger.chain(self._row(root))[0]
        column = self.ledger.column
        self.remove(column("key")[rows], column("value")[rows])
        self.ledger.supersede(rows, FORGOTTEN)

    def source(self, root: np.uint64) -> str | None:
        """Source of the answer under a root, if it is bound and one was given."""
        row = self._row(root)[0]
        return None if row < 0 else self.ledger.sources[self.ledger.column("source")[row]]

    def __contains__(self, root: np.uint64) -> bool:
        """True if an answer is bound under a root."""
        return bool(self._row(root)[0] >= 0)

    def _row(self, root: np.uint64) -> np.ndarray:
        """The ledger's row int64 [1] of an answer's first token; -1 = none."""
        return self.ledger.find(position_hashes(np.array([root]), np.zeros(1, np.int64)))

    def write(
        self, addresses: np.ndarray, tokens: np.ndarray | Tensor, banks: np.ndarray | None = None
    ) -> None:
        """Add tokens int64 [N] at addresses uint64 [N].

        Args:
            banks: int64 [N], to place addresses together (all of one subject); None = by hash.

        Raises:
            ValueError: another number of tokens, or a token outside 0..V-1.
            OverflowError: the sums would leave their type; nothing is written.
        """
        self._add(addresses, tokens, banks, 1)

    def remove(
        self, addresses: np.ndarray, tokens: np.ndarray | Tensor, banks: np.ndarray | None = None
    ) -> None:
        """Take back what :meth:`write` added, exactly."""
        self._add(addresses, tokens, banks, -1)

    def read(self, addresses: np.ndarray, banks: np.ndarray | None = None) -> AddressRead:
        """The best token at each address uint64 [N]."""
        banks = self._banks(addresses, banks)
        rows = max(1, self.codes.block // max(len(self.codes), self.accumulator.dim))
        reads = [
            self._read(addresses[i : i + rows], banks[i : i + rows])
            for i in range(0, len(addresses), rows)
        ]
        if not reads:
            return AddressRead(torch.zeros(0, dtype=torch.long), torch.zeros(0))
        return AddressRead(*(torch.cat(column) for column in zip(*reads, strict=True)))

    def scores(self, addresses: np.ndarray, banks: np.ndarray | None = None) -> Tensor:
        """z-scores float32 [N, V] of every token at each address."""
        where = torch.from_numpy(self._banks(addresses, banks)).to(self.H.device)
        rows = self.H[where].float()
        norm = torch.linalg.vector_norm(rows, dim=-1, keepdim=True).clamp_min(1e-6)
        rows *= sign_codes(addresses, self.accumulator.dim).to(rows)
        return self.codes.scores(rows) / norm

    def _read(self, addresses: np.ndarray, banks: np.ndarray) -> AddressRead:
        best = self.scores(addresses, banks).max(-1)
        return AddressRead(best.indices, best.values)

    def _add(
        self,
        addresses: np.ndarray,
        tokens: np.ndarray | Tensor,
        banks: np.ndarray | None,
        sign: int,
    ) -> None:
        ids = self._checked(tokens)
        if len(ids) != len(addresses):
            raise ValueError(f"{len(ids)} tokens for {len(addresses)} addresses: must be as many")
        signs = np.full(len(ids), sign, np.int64)
        where = self._banks(addresses, banks)
        self.accumulator.bind(addresses, ids, self.codes, signs, where)
        self._held += sign * np.bincount(where, minlength=len(self._held))

    def _checked(self, tokens: Sequence[int] | np.ndarray | Tensor) -> np.ndarray:
        """Token ids int64 [N], each in 0..V-1."""
        ids, size = np.asarray(tokens, np.int64).ravel(), len(self.codes)
        wrong = (ids < 0) | (ids >= size)
        if wrong.any():
            raise ValueError(f"token {ids[wrong][0]}: must be in 0..{size - 1}")
        return ids

    def _banks(self, addresses: np.ndarray, banks: np.ndarray | None) -> np.ndarray:
        count = self.accumulator.banks
        if banks is None:
            return bank_of(addresses, count)
        banks = np.asarray(banks, np.int64)
        if len(banks) != len(addresses) or (
            len(banks) and not 0 <= banks.min() <= banks.max() < count
        ):
            raise ValueError(f"banks: must be one in 0..{count - 1} for each address")
        return banks


def banks_for(tokens: int, vocab_size: int, dim: int = DIM) -> int:
    """Banks of ``dim`` numbers that so many tokens need, each in the bank of its own address.

    A bank's load is nearly Poisson, so the fullest of them holds some standard deviations more than
    the mean; that one must still be read with ``ACCURACY``.
    """
    held = facts_at(ACCURACY, dim, vocab_size, alpha=FALSE_READ)
    mean = max(1.0, held - SPREAD * math.sqrt(max(1, held)))
    return max(1, math.ceil(tokens / mean))
