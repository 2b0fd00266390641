"""Token ids at hashed addresses: the register behind a tape on a language model.

An address is a 64-bit hash; what it holds is one of V token ids, as one Hadamard code per id. All
V scores of a read come from a few Walsh-Hadamard transforms, so there is no V x D codebook:

    H[b] += k(address) * v_token            z = max_v <k * H[b], v> / |H[b]|,   about sqrt(D / N)

The threshold for z is ``quantile(alpha, V)``, whatever the register holds. Sums are integers, so
taking a write back leaves no trace.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from prism.holo.algebra.accumulator import Accumulator
from prism.holo.algebra.codebook import HadamardCodebook
from prism.holo.algebra.codes import bank_of, code_words, sign_codes
from prism.holo.capacity.theory import quantile


class AddressRead(NamedTuple):
    """The best token int64 [N] at each address and its z-score float32 [N]."""

    tokens: Tensor
    z: Tensor


class AddressRegister:
    """An integer register from addresses to token ids.

    Args:
        dim: numbers D of a bank; a power of two reads fastest.
        vocab_size: V, the ids are 0..V-1.
        banks: B; an address is held in the bank of its hash, unless a call names banks.
        seed: of the token codes.
        dtype: integer type of the sums.
    """

    def __init__(
        self,
        dim: int = 32_768,
        vocab_size: int = 65_536,
        banks: int = 1,
        seed: int = 0,
        dtype: str = "int16",
        device: str | torch.device = "cpu",
    ) -> None:
        if vocab_size < 2:
            raise ValueError(f"vocab_size = {vocab_size}: must be >= 2")
        self.register = Accumulator(banks, dim, dtype, device)
        self.codes = HadamardCodebook(dim, vocab_size, seed)

    @property
    def H(self) -> Tensor:
        """The sums [B, D]."""
        return self.register.numbers

    def threshold(self, alpha: float) -> float:
        """The z that an address that was never written passes with probability ``alpha``."""
        return quantile(alpha, len(self.codes))

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
        rows = max(1, self.codes.block // max(len(self.codes), self.register.dim))
        found = [
            self._read(addresses[i : i + rows], banks[i : i + rows])
            for i in range(0, len(addresses), rows)
        ]
        if not found:
            return AddressRead(torch.zeros(0, dtype=torch.long), torch.zeros(0))
        return AddressRead(*(torch.cat(column) for column in zip(*found, strict=True)))

    def scores(self, addresses: np.ndarray, banks: np.ndarray | None = None) -> Tensor:
        """z-scores float32 [N, V] of every token at each address."""
        where = torch.from_numpy(self._banks(addresses, banks)).to(self.H.device)
        rows = self.H[where].float()
        norm = torch.linalg.vector_norm(rows, dim=-1, keepdim=True).clamp_min(1e-6)
        rows *= sign_codes(addresses, self.register.dim).to(rows)
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
        ids = np.asarray(tokens, np.int64).ravel()
        size, dim = len(self.codes), self.register.dim
        if len(ids) != len(addresses):
            raise ValueError(f"{len(ids)} tokens for {len(addresses)} addresses: must be as many")
        wrong = (ids < 0) | (ids >= size)
        if wrong.any():
            raise ValueError(f"token {ids[wrong][0]}: must be in 0..{size - 1}")
        self.register.add(
            self._banks(addresses, banks),
            lambda at: code_words(addresses[at], dim) ^ self.codes.words(ids[at]),
            np.full(len(ids), sign, np.int64),
        )

    def _banks(self, addresses: np.ndarray, banks: np.ndarray | None) -> np.ndarray:
        count = self.register.banks
        if banks is None:
            return bank_of(addresses, count)
        banks = np.asarray(banks, np.int64)
        if len(banks) != len(addresses) or (
            len(banks) and not 0 <= banks.min() <= banks.max() < count
        ):
            raise ValueError(f"banks: must be one in 0..{count - 1} for each address")
        return banks
