"""Codebooks: bipolar codes of the values, and the cleanup that scores a vector against all of them.

    words(ids)      packed codes [N, W]
    scores(r)       <r, v_m> for all m         [N, D] -> [N, M]
    combine(x)      sum_m x_m v_m, its adjoint [N, M] -> [N, D]

Hashed codes follow the value itself, so any two tapes agree on them and a vocabulary may grow; the
cost is an M x D matrix. A vocabulary that is fixed beforehand numbers its values, and gets
Hadamard codes, which are read without any matrix. A given code tensor is used as it is.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from prism.holo.algebra.codes import (
    VALUE_STREAM,
    code_words,
    hash_integers,
    pack_bits,
    sign_codes,
    signs,
)
from prism.holo.algebra.hadamard import row_words, transform, transform_size

LARGE = 1 << 25  # signs of a matrix of codes that is large
SPARE = 4096  # columns that a growing matrix gets in advance, at most


class Codebook(ABC):
    """M codes of D signs."""

    dim: int
    block: int  # scores that are best made at once: the product and its result stay in a cache

    @abstractmethod
    def __len__(self) -> int:
        """M."""

    @abstractmethod
    def words(self, ids: np.ndarray) -> np.ndarray:
        """Packed codes uint64 [N, ceil(D / 64)] of value ids int64 [N]."""

    @abstractmethod
    def scores(self, read: Tensor) -> Tensor:
        """Products float [N, M] of unbound vectors [N, D], float or int8, with every code."""

    @abstractmethod
    def combine(self, weights: Tensor) -> Tensor:
        """Sums float [N, D] of all codes with weights float [N, M]."""

    @property
    @abstractmethod
    def kind(self) -> str:
        """The rule that makes the codes, as a fingerprint remembers it."""

    @property
    def nbytes(self) -> int:
        """Bytes of the matrices that are cached for the cleanup."""
        return 0

    @property
    def large(self) -> bool:
        """True if scoring all codes needs a matrix of tens of megabytes or more."""
        return False


def fast_on(device: torch.device) -> bool:
    """True if integer matrix products of int8 are faster than fp32 on ``device``: the processor
    has byte dot products (VNNI)."""
    return (
        device.type == "cpu"
        and torch.backends.cpu.get_cpu_capability() == "AVX512"
        and hasattr(torch, "_int_mm")
    )


class SignColumns:
    """Codes as the columns of a matrix int8 [D, M] that grows with their number.

    Int8 reads [N, D] times int8 signs give int32 scores exactly, several times as fast as in fp32
    and from a quarter of the memory. Fp32 holds these sums exactly too (below 2^24), so both ways
    give the same bits and the choice is a matter of speed alone.

    Args:
        dim: D.
        signs: gives the codes int8 [n, D] of ids int64 [n].
    """

    def __init__(self, dim: int, signs: Callable[[np.ndarray], Tensor]) -> None:
        self._signs, self._filled = signs, 0
        self._cache = torch.zeros(dim, 0, dtype=torch.int8)

    @property
    def nbytes(self) -> int:
        """Bytes of the matrix."""
        return self._cache.numel()

    def shrink(self, size: int) -> None:
        """Make the columns from ``size`` on anew when they are next needed."""
        self._filled = min(self._filled, size)

    def scores(self, read: Tensor, size: int) -> Tensor:
        """Products float32 [N, size] of reads int8 [N, D] with the first ``size`` codes."""
        return torch._int_mm(read, self._columns(size)).float()

    def _columns(self, size: int) -> Tensor:
        dim, room = self._cache.shape
        if size > room:
            larger = self._cache.new_empty(dim, max(size, min(2 * room, size + SPARE)))
            larger[:, : self._filled] = self._cache[:, : self._filled]
            self._cache = larger
        if size > self._filled:
            self._cache[:, self._filled : size] = self._signs(np.arange(self._filled, size)).T
            self._filled = size
        return self._cache[:, :size]


class _Matrix(Codebook):
    """Codes that are read as one matrix product, cached in fp32, which grows with them."""

    block = 1 << 22  # a matrix product wants many rows

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self._cache, self._filled = torch.zeros(0, dim), 0
        self._columns = SignColumns(dim, self.signs)

    def signs(self, ids: np.ndarray) -> Tensor:
        """Codes int8 [N, D] of value ids int64 [N]."""
        return signs(self.words(ids), self.dim)

    def matrix(self, like: Tensor) -> Tensor:
        """All codes float32 or float64 [M, D], on the device of ``like``."""
        size = len(self)
        if size > len(self._cache):
            larger = self._cache.new_empty(
                max(size, min(2 * len(self._cache), size + SPARE)), self.dim
            )
            larger[: self._filled] = self._cache[: self._filled]
            self._cache = larger
        if size > self._filled:
            self._cache[self._filled : size] = self.signs(np.arange(self._filled, size))
            self._filled = size
        if self._cache.device != like.device:
            self._cache = self._cache.to(like.device)
        return self._cache[:size].to(like.dtype)

    def scores(self, read: Tensor) -> Tensor:
        if read.dtype == torch.int8 and fast_on(read.device):
            return self._columns.scores(read, len(self))
        read = read if read.is_floating_point() else read.float()
        return read @ self.matrix(read).T

    def combine(self, weights: Tensor) -> Tensor:
        return weights @ self.matrix(weights)

    @property
    def large(self) -> bool:
        return len(self) * self.dim > LARGE

    @property
    def nbytes(self) -> int:
        return self._cache.numel() * self._cache.element_size() + self._columns.nbytes


class HashedCodebook(_Matrix):
    """The code of a value is that of its hash; a vocabulary grows it through :meth:`extend`."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self._hashes = np.zeros(0, np.uint64)

    @classmethod
    def of(cls, dim: int, hashes: np.ndarray) -> HashedCodebook:
        """Codes of ``dim`` signs of the hashes uint64 [M]."""
        codes = cls(dim)
        codes._hashes = hashes
        return codes

    @property
    def hashes(self) -> np.ndarray:
        """Of the values, uint64 [M]."""
        return self._hashes

    def __len__(self) -> int:
        return len(self._hashes)

    @property
    def kind(self) -> str:
        return "hashed"

    def extend(self, hashes: np.ndarray) -> None:
        """Append values by their hashes uint64 [N]."""
        self._hashes = np.concatenate((self._hashes, hashes))

    def shrink(self, size: int) -> None:
        """Keep the first ``size`` values."""
        self._hashes = self._hashes[:size]
        self._filled = min(self._filled, size)
        self._columns.shrink(size)

    def keep(self, used: np.ndarray) -> None:
        """Keep the values where ``used`` bool [M] says so, in their order."""
        first = int(np.argmin(used)) if not used.all() else len(used)
        self._hashes = self._hashes[used]
        self._filled = min(self._filled, first)  # what stood before the first gap stays
        self._columns.shrink(first)

    def words(self, ids: np.ndarray) -> np.ndarray:
        return code_words(self._hashes[ids], self.dim, VALUE_STREAM)


class HadamardCodebook(Codebook):
    """``size`` codes in cosets of P orthogonal ones (:mod:`prism.holo.algebra.hadamard`)."""

    block = 1 << 18

    def __init__(self, dim: int, size: int, seed: int) -> None:
        self.dim, self.size = dim, size
        self.period = transform_size(dim, size)
        self.seed = seed
        self._made: Tensor | None = None

    def __len__(self) -> int:
        return self.size

    @property
    def kind(self) -> str:
        return f"hadamard/{self.period}"

    @property
    def _cosets(self) -> np.ndarray:
        """Hashes of the cosets."""
        return hash_integers(np.arange(-(-self.size // self.period)), self.seed)

    def words(self, ids: np.ndarray) -> np.ndarray:
        diagonal = code_words(self._cosets, self.dim, VALUE_STREAM)
        return row_words(ids % self.period, self.dim) ^ diagonal[ids // self.period]

    def scores(self, read: Tensor) -> Tensor:
        read = read if read.is_floating_point() else read.float()
        diagonals = self._on(read)
        cosets, period = len(diagonals), self.period
        blocks = read.view(len(read), 1, -1, period).unbind(2)  # [N, 1, P] each
        turns = diagonals.view(1, cosets, -1, period).unbind(2)
        if len(blocks) <= cosets:  # [N, C, D] would leave the cache
            folded = blocks[0] * turns[0]
            for block, turn in zip(blocks[1:], turns[1:], strict=True):
                folded = folded.addcmul_(block, turn)
        else:
            turned = read[:, None, :] * diagonals
            folded = turned.view(len(read), cosets, -1, period).sum(2)
        return transform(folded).reshape(len(read), -1)[:, : self.size]

    def combine(self, weights: Tensor) -> Tensor:
        diagonals = self._on(weights)
        cosets, period = len(diagonals), self.period
        padded = torch.nn.functional.pad(weights, (0, cosets * period - self.size))
        rows = transform(padded.view(-1, cosets, period))
        repeated = rows.repeat(1, 1, self.dim // period)
        return (repeated * diagonals).sum(1)

    @property
    def nbytes(self) -> int:
        return 4 * self.dim * -(-self.size // self.period)

    def _on(self, like: Tensor) -> Tensor:
        """The diagonals, made at the first reading and not for a size that a file claims."""
        if self._made is None:
            self._made = sign_codes(self._cosets, self.dim, VALUE_STREAM).float()
        if self._made.device != like.device:
            self._made = self._made.to(like.device)
        return self._made.to(like.dtype)


class GivenCodebook(_Matrix):
    """Codes given as a tensor [M, D] of +-1.

    Raises:
        ValueError: another shape, or an entry that is not +-1.
    """

    def __init__(self, dim: int, codes: Tensor) -> None:
        super().__init__(dim)
        if codes.ndim != 2 or codes.shape[1] != dim:
            raise ValueError(f"values of shape {tuple(codes.shape)}: must be [M, {dim}]")
        if not bool((codes.abs() == 1).all()):
            raise ValueError("values: every entry of a code tensor must be 1 or -1")
        self._words = pack_bits((codes < 0).cpu().numpy())

    def __len__(self) -> int:
        return len(self._words)

    @property
    def kind(self) -> str:
        return f"given/{hashlib.sha256(self._words.astype('<u8').tobytes()).hexdigest()[:16]}"

    def words(self, ids: np.ndarray) -> np.ndarray:
        return self._words[ids]

    def codes(self) -> Tensor:
        """The codes int8 [M, D] as they were given."""
        return signs(self._words, self.dim)
