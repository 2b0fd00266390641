"""The Multi-Rate Bus: linear-time mixing at log-spaced half-lives, with gates one can read.

    h_k(t) = a_k h_k(t-1) + sqrt(1 - a_k^2) z_k(t)               a_k = 2^(-1 / half_life_k)
    y(t)   = W_o ( rmsnorm( concat_k g_k(t) h_k(t) ) * silu(u(t)) )     g = 2 sigmoid(W_g x)

``[z, u, g] = W x``; each of the K rates owns D/K channels. The scale gate g weighs the time
scales that a token reads. The normalisation after the gate keeps the output bounded at any length.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from prism.model.norm import RMSNorm, promote
from prism.ops.chunks import chunk_on
from prism.ops.documents import RowEnds, last_real
from prism.ops.scan import ScanFrame, framed_scan, scan_frame


class MultiRateBus(nn.Module):
    """Args: ``dim`` D; ``half_lives`` K of them, D divisible by K; ``chunk`` tokens."""

    def __init__(self, dim: int, half_lives: tuple[float, ...], chunk: int) -> None:
        super().__init__()
        self.half_lives, self.chunk = half_lives, chunk
        self.read = nn.Linear(dim, 2 * dim, bias=False)
        self.gate = nn.Linear(dim, len(half_lives), bias=False)
        self.norm = RMSNorm(dim)
        self.write = nn.Linear(dim, dim, bias=False)
        nn.init.normal_(self.read.weight, std=dim**-0.5)
        nn.init.normal_(self.gate.weight, std=0.1 * dim**-0.5)
        nn.init.zeros_(self.write.weight)  # the bus adds nothing at first

    def frame(self, x: Tensor, doc_index: Tensor | None) -> ScanFrame:
        """Constants of a call on ``x [B, T, D]``, the same for all layers."""
        x = promote(x)
        return scan_frame(x.shape[1], self.half_lives, doc_index, chunk_on(x, self.chunk), x)

    def forward(
        self, x: Tensor, carry: Tensor | None, frame: ScanFrame, ends: RowEnds | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """``x [B, T, D]`` to the output ``[B, T, D]``, the carry ``[B, K, D/K]`` and the gates
        ``[B, T, K]``; ``frame``: :meth:`frame` of this call."""
        z, u = self.read(x).chunk(2, dim=-1)
        gates = 2 * torch.sigmoid(promote(self.gate(x)))
        z = promote(z).unflatten(-1, (len(self.half_lives), -1))  # [B, T, K, D/K]
        h = framed_scan(z, frame, carry)
        mixed = self.norm((h * gates[..., None]).flatten(2)).to(u.dtype)
        return self.write(mixed * nn.functional.silu(u)), promote(last_real(h, carry, ends)), gates
