"""RMSNorm: ``y = w x / sqrt(mean(x^2) + eps)``, in at least fp32 (arXiv 1910.07467)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def promote(x: Tensor) -> Tensor:
    """fp16 and bf16 to fp32; fp32 and fp64 stay."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


class RMSNorm(nn.Module):
    """Normalise the last axis; the gain starts at 1."""

    def __init__(self, dim: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """``[..., dim]`` to ``[..., dim]``, same dtype."""
        gain = self.weight.to(promote(x).dtype)
        return torch.nn.functional.rms_norm(promote(x), gain.shape, gain, self.eps).to(x.dtype)
