"""The neural expert: SwiGLU whose value branch also reads the token before.

    y = W_2 ( silu(W_1 x(t)) * W_3 ((1 - m) x(t) + m x(t-1)) )

SwiGLU is arXiv 2002.05202; the per-channel token shift m is RWKV's (arXiv 2305.13048). The product
of the two branches sees pairs of neighbouring tokens at once, for D more parameters and no more
matrix work.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class NeuralExpert(nn.Module):
    """Args: ``dim`` D; ``hidden`` width; ``out_std`` of the output projection at the start."""

    def __init__(self, dim: int, hidden: int, out_std: float) -> None:
        super().__init__()
        self.gate = nn.Linear(dim, hidden, bias=False)
        self.value = nn.Linear(dim, hidden, bias=False)
        self.shift = nn.Parameter(torch.rand(dim))  # spread, so that both tokens can be told apart
        self.write = nn.Linear(hidden, dim, bias=False)
        nn.init.normal_(self.gate.weight, std=dim**-0.5)
        nn.init.normal_(self.value.weight, std=dim**-0.5)
        nn.init.normal_(self.write.weight, std=out_std)

    def forward(self, x: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """``x`` and the token before it, ``[B, T, D]`` each, to features: ``x``, and the mixture of
        both."""
        return x, torch.lerp(x, before, self.shift.to(x.dtype))

    def emit(self, x: Tensor, mixed: Tensor) -> Tensor:
        """Features, ``[.., D]`` each, to the stream ``[.., D]``."""
        return self.write(nn.functional.silu(self.gate(x)) * self.value(mixed))
