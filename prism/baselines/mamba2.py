"""The state-space baseline: Mamba-2 (Dao and Gu 2024, arXiv 2405.21060).

One projection gives gate z, values x, keys B, queries C and step size; x, B and C pass a causal
convolution of width 4 and SiLU. With ``dt = softplus(. + dt_bias)`` and ``A = -exp(A_log)``,
``S_t = exp(dt A) S_{t-1} + B_t (dt x_t)^T`` and ``y_t = S_t^T C_t + D x_t``, then
``out_proj(RMSNorm(y * silu(z)))``.

Expansion 2, one group, state size 128 (64 up to ``d_model`` 128), heads of width 64 (half of
``d_model`` where that is less). The reference stacks the mixer alone: in the arms without an MLP
the budget sets the number of layers, and the width of a head is moved to what meets it exactly, so
the expansion is near 2. In the arms with an MLP the mixer has the paper's size, and depth is that
of the model compared with.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from prism.baselines.stack import (
    CausalConv,
    RecurrentState,
    divisor_near,
)
from prism.config import PrismConfig
from prism.model.norm import RMSNorm, promote
from prism.model.state import Leaf
from prism.ops.documents import Rows
from prism.ops.ssd import ssd

EXPANSION = 2


class Mamba2Mixer(nn.Module):
    """One Mamba-2 layer.

    Args:
        config: sizes.
        head_dim: width of a head; None = the paper's, :func:`usual_head_dim`.
    """

    def __init__(self, config: PrismConfig, head_dim: int | None = None) -> None:
        super().__init__()
        width = config.d_model
        usual = usual_head_dim(width)
        self.head_dim = usual if head_dim is None else head_dim
        self.chunk_size = config.chunk_size
        heads = EXPANSION * width // usual
        inner, state_size = heads * self.head_dim, 64 if width <= 128 else 128
        self.widths = (inner, inner + 2 * state_size, heads)
        self.conv_widths = (inner, state_size, state_size)
        self.in_proj = nn.Linear(width, sum(self.widths), bias=False)
        self.conv = CausalConv(self.widths[1], width=4, bias=True)
        self.dt_bias = nn.Parameter(initial_step_bias(heads))
        self.A_log = nn.Parameter(torch.empty(heads).uniform_(1, 16).log())
        self.like = RecurrentState(
            Leaf((3, self.widths[1]), "narrow"), Leaf((state_size, heads, self.head_dim))
        )
        self.D = nn.Parameter(torch.ones(heads))
        self.norm = RMSNorm(inner)
        self.out_proj = nn.Linear(inner, width, bias=False)

    def forward(
        self, x: Tensor, state: RecurrentState | None, rows: Rows
    ) -> tuple[Tensor, RecurrentState]:
        """``x [B, T, D]`` of the tokens ``rows`` to ``[B, T, D]``."""
        z, values, dt = self.in_proj(x).split(self.widths, dim=-1)
        values, conv = self.conv(values, state and state.conv, rows.doc_index, rows.ends)
        values, b, c = F.silu(values).split(self.conv_widths, dim=-1)
        values = values.unflatten(-1, (-1, self.head_dim))
        dt = F.softplus(promote(dt) + promote(self.dt_bias))
        if rows.valid is not None:  # no time passes in padding
            dt = dt * rows.valid[..., None]
        y, memory = ssd(
            promote(values) * dt[..., None],
            dt * -promote(self.A_log).exp(),
            b,
            c,
            state=state and state.memory,
            doc_index=rows.doc_index,
            chunk_size=self.chunk_size,
        )
        y = (y + values * self.D[:, None]).flatten(2).to(z.dtype)
        return self.out_proj(self.norm(y * F.silu(z))), RecurrentState(conv, memory)


def usual_head_dim(d_model: int) -> int:
    """Width of a head at expansion 2: 64, or half of ``d_model`` where that is less."""
    return divisor_near(EXPANSION * d_model, max(1, min(64, d_model // 2)))


def initial_step_bias(heads: int, low: float = 1e-3, high: float = 1e-1) -> Tensor:
    """``[H]`` biases whose softplus is log-uniform in [low, high], at least 1e-4."""
    step = torch.empty(heads).uniform_(math.log(low), math.log(high)).exp().clamp(min=1e-4)
    return step + torch.log(-torch.expm1(-step))
