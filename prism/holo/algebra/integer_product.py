"""Scores of integer reads in integers: int8 [N, D] times signs int8 [D, M] gives int32, exactly.

An accumulator of int8 and codes of signs need no floating point to be compared. Processors with
byte dot products (VNNI) do this several times as fast as in fp32, from a matrix a quarter of the
size. Both ways give the same bits, since fp32 holds these sums exactly too (below 2^24), so which
one runs is a matter of speed alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

SPARE = 4096  # columns that a growing matrix gets in advance, at most


def fast_on(device: torch.device) -> bool:
    """Whether products of bytes are faster than products of fp32 on ``device``."""
    return (
        device.type == "cpu"
        and torch.backends.cpu.get_cpu_capability() == "AVX512"
        and hasattr(torch, "_int_mm")
    )


class SignColumns:
    """Codes as the columns of a matrix int8 [D, M] that grows with their number.

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
