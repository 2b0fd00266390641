"""Length of the chunks that a sequence is cut into.

Longer chunks are fewer operations and more multiplications. On a CPU the multiplications cost, on
a GPU the launches do. An exported program is made for every length at once, so it cannot have a
number of chunks: it reads a call as one, at a cost that is quadratic in the length.
"""

from __future__ import annotations

import torch
from torch import Tensor

GPU_CHUNK = 128
EXPORTED = 20  # doublings of an exported program: 2^20 tokens in a call


def chunk_on(x: Tensor, chunk: int) -> int:
    """Tokens per chunk where ``x`` lies: ``chunk``, on a GPU at least ``GPU_CHUNK``."""
    return max(chunk, GPU_CHUNK) if x.device.type == "cuda" else chunk


def cut(length: int, chunk: int, whole: int = 0) -> tuple[int, int]:
    """Tokens per chunk and number of chunks of a call over ``length`` tokens, which up to ``whole``
    of them are one chunk."""
    if torch.compiler.is_exporting() or length <= whole:
        return length, 1
    size = min(chunk, length)
    return size, -(-length // size)


def doublings(length: int) -> list[int]:
    """Reaches 1, 2, 4, ... below ``length``, which must be doubled to span a call."""
    count = EXPORTED if torch.compiler.is_exporting() else (length - 1).bit_length()
    return [2**i for i in range(count)]
