"""The neural expert: SwiGLU, ``W_2 (silu(W_1 x) * W_3 x)`` (arXiv 2002.05202)."""

from __future__ import annotations

from torch import Tensor, nn


class SwiGLU(nn.Module):
    """Args: ``dim`` D; ``hidden`` width; ``out_std`` of the output projection at the start."""

    def __init__(self, dim: int, hidden: int, out_std: float) -> None:
        super().__init__()
        self.up = nn.Linear(dim, 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, dim, bias=False)
        nn.init.normal_(self.up.weight, std=dim**-0.5)
        nn.init.normal_(self.down.weight, std=out_std)

    def forward(self, x: Tensor) -> Tensor:
        """``[n, D]`` to ``[n, D]``."""
        gate, value = self.up(x).chunk(2, dim=-1)
        return self.down(nn.functional.silu(gate) * value)
