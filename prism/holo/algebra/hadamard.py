"""Hadamard codes: value codes that are read by a fast transform instead of a codebook.

Row i of the Sylvester matrix is ``h_i(j) = (-1)^popcount(i & j)``, j < P = 2^p. A code of length
D (a multiple of P) is a row repeated D / P times under a random diagonal of its coset,

    v_m(j) = d_c(j) h_i(j mod P),      m = c P + i,

so all P scores of a coset are one fold and one Walsh-Hadamard transform:

    <r, v_m> = WHT( sum_blocks d_c * r )_i         O(D + P log P) instead of O(D P).

Codes of one coset are exactly orthogonal, codes of two cosets are as good as random. The transform
is a Kronecker product of small Hadamard matrices, applied as matrix products. Integers are exact in
fp32 while |scores| < 2^24. (Yates 1937; Fino & Algazi 1976.)
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

FACTOR = 32  # the side of the small matrices: fastest on CPUs among 8..128
SMALLEST, CACHED = 1024, 1 << 17  # a transform worth its while, and numbers that stay in a cache


def transform(x: Tensor) -> Tensor:
    """Walsh-Hadamard transform of x [..., P] along the last axis, unnormalised; P = 2^p."""
    size, inner = x.shape[-1], 1
    y = x.reshape(-1, size)
    while inner < size:
        side = min(FACTOR, size // inner)
        small = sylvester(side).to(x)
        # The axes before the last one from the left, so that nothing is transposed.
        y = y.reshape(-1, side) @ small if inner == 1 else small @ y.reshape(-1, side, inner)
        inner *= side
    return y.reshape(x.shape)


@cache
def sylvester(size: int) -> Tensor:
    """The Hadamard matrix float32 [size, size] of +-1; size = 2^p."""
    if size == 1:
        return torch.ones(1, 1)
    half = sylvester(size // 2)
    return torch.cat((torch.cat((half, half), 1), torch.cat((half, -half), 1)))


def row_words(rows: np.ndarray, dim: int) -> np.ndarray:
    """Packed rows uint64 [N, ceil(dim / 64)] of the infinite Sylvester matrix, rows [N] >= 0.

    Columns past the row's own power of two repeat it, because the row has no bit there.
    """
    rows = rows.astype(np.uint64)
    bit = np.arange(64, dtype=np.uint64)
    inside = parity(bit[:, None] & bit) << bit  # [64, 64]: bits of the word whose index is 0
    base = np.bitwise_or.reduce(inside, axis=1)
    word = np.arange(-(-dim // 64), dtype=np.uint64)
    flip = parity((rows >> np.uint64(6))[:, None] & word)
    return base[(rows & np.uint64(63)).astype(np.int64)][:, None] ^ (np.uint64(0) - flip)


def parity(words: np.ndarray) -> np.ndarray:
    """The parity, 0 or 1, of the bits of uint64 words."""
    for shift in (32, 16, 8, 4, 2, 1):
        words = words ^ (words >> np.uint64(shift))
    return words & np.uint64(1)


def transform_size(dim: int, codes: int) -> int:
    """P for ``codes`` codes of ``dim`` signs: a power of two that divides ``dim``.

    A large P means few cosets, each of which reads all of ``dim``; a small one means cheap
    transforms. Best on CPUs is the least P >= 1024 that keeps all cosets' reads in a cache.
    """
    enough = max(SMALLEST, codes * dim // CACHED)
    powers = (1 << max(n - 1, 0).bit_length() for n in (codes, enough))  # not below codes, enough
    return min(dim & -dim, *powers)
