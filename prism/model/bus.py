"""The Multi-Rate Bus: linear-time mixing at log-spaced half-lives, with gates one can read.

    h_k(t) = a_k(t) h_k(t-1) + sqrt(1 - a_k(t)^2) z_k(t)         a_k(t) = 2^(-r_k(t) / half_life_k)
    y(t)   = W_o ( rmsnorm( concat_k g_k(t) h_k(t) ) * silu(u(t)) )       g = 2 sigmoid(W_g x)

``[z, u, g] = W x``; each of the K rates owns D/K channels. The scale gate g weighs the time scales
that a token reads. The normalisation after the gate keeps the output bounded at any length.

``r`` is the time that passes at a token, ``exp(8 tanh(s / 8))`` with ``s = W_r x + b``: 1 at first,
so that the half-lives are those of the config, and between e^-8 and e^8 once learned, enough for
the slowest rate to forget all it held at one token. It is the gate of Griffin's RG-LRU (arXiv
2402.19427) on the time of a whole rate. Without ``reset`` it is 1 for ever.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from prism.model.norm import RMSNorm, as_type, promote
from prism.ops.decay import chunk_on
from prism.ops.documents import RowEnds, last_real
from prism.ops.gated_scan import gated_scan, log_retention
from prism.ops.scan import ScanFrame, framed_scan, scan_frame

REACH = 8.0  # largest |log r|


class MultiRateBus(nn.Module):
    """Args: ``dim`` D; ``half_lives`` K of them, D divisible by K; ``chunk`` tokens; ``reset``: the
    time that passes depends on the token."""

    def __init__(
        self, dim: int, half_lives: tuple[float, ...], chunk: int, reset: bool = True
    ) -> None:
        super().__init__()
        self.half_lives, self.chunk = half_lives, chunk
        self.read = nn.Linear(dim, 2 * dim, bias=False)
        self.gate = nn.Linear(dim, len(half_lives), bias=False)
        self.norm = RMSNorm(dim)
        self.write = nn.Linear(dim, dim, bias=False)
        nn.init.normal_(self.read.weight, std=dim**-0.5)
        nn.init.normal_(self.gate.weight, std=0.1 * dim**-0.5)
        nn.init.zeros_(self.write.weight)  # the bus adds nothing at first
        self.reset = nn.Linear(dim, len(half_lives)) if reset else None
        if reset:
            nn.init.zeros_(self.reset.weight)
            nn.init.zeros_(self.reset.bias)

    def frame(self, x: Tensor, doc_index: Tensor | None) -> ScanFrame | Tensor:
        """Constants of a call on ``x [B, T, D]``, the same for all layers; with ``reset``, where
        every token has retentions of its own, ``log a [K]`` at r = 1."""
        x = promote(x)
        if self.reset is not None:
            lives = torch.tensor(self.half_lives, dtype=x.dtype, device=x.device)
            return log_retention(lives, torch.ones_like(lives))
        return scan_frame(x.shape[1], self.half_lives, doc_index, chunk_on(x, self.chunk), x)

    def forward(
        self,
        x: Tensor,
        carry: Tensor | None,
        frame: ScanFrame | Tensor,
        doc_index: Tensor | None = None,
        ends: RowEnds | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """``x [B, T, D]`` to the output ``[B, T, D]``, the carry ``[B, K, D/K]`` and the gates
        ``[B, T, K]``.

        Args:
            carry: of the call before; None at the start.
            frame: :meth:`frame` of this call.
            doc_index: ``[B, T]`` document index of each token or None.
            ends: where the real tokens of each row end; None = at T.
        """
        z, u = self.read(x).chunk(2, dim=-1)
        gates = 2 * torch.sigmoid(promote(self.gate(x)))
        z = promote(z).unflatten(-1, (len(self.half_lives), -1))  # [B, T, K, D/K]
        if self.reset is None:
            h = framed_scan(z, frame, carry)
        else:
            h = gated_scan(z, frame * self.passing(x), carry, doc_index, chunk_on(z, self.chunk))
        mixed = as_type(self.norm((h * gates[..., None]).flatten(2)), u.dtype)
        return self.write(mixed * nn.functional.silu(u)), promote(last_real(h, carry, ends)), gates

    def passing(self, x: Tensor) -> Tensor:
        """Time that passes at each token for each rate, ``[B, T, K]``, of ``x [B, T, D]``."""
        return torch.exp(REACH * torch.tanh(promote(self.reset(x)) / REACH))
