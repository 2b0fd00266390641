"""RMSNorm: ``y = w x / sqrt(mean(x^2) + eps)``, in at least fp32 (arXiv 1910.07467)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def promote(x: Tensor) -> Tensor:
    """fp16 and bf16 to fp32; fp32 and fp64 stay."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def as_type(x: Tensor, dtype: torch.dtype) -> Tensor:
    """``x`` of type ``dtype``; itself where it has it, without asking torch, which a step of
    decoding does a hundred times."""
    return x if x.dtype is dtype else x.to(dtype)


def unit(x: Tensor, eps: float = 1e-6) -> Tensor:
    """Vectors ``[..., S]`` of length 1; what is shorter than ``eps`` is divided by it."""
    return x / torch.linalg.vector_norm(x, dim=-1, keepdim=True).clamp_min(eps)


class RMSNorm(nn.Module):
    """Normalise the last axis; the gain starts at 1."""

    def __init__(self, dim: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """``[..., dim]`` to ``[..., dim]``, same dtype."""
        wide, gain = promote(x), self.weight
        gain = as_type(gain, wide.dtype)
        return as_type(torch.rms_norm(wide, gain.shape, gain, self.eps), x.dtype)
