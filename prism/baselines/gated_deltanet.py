"""The delta-rule baseline: Gated DeltaNet (Yang, Kautz and Hatamizadeh 2024, arXiv 2412.06464).

``q, k = l2norm(silu(conv4(W x)))``, ``v = silu(conv4(W x))``, write strength
``beta = sigmoid(W_b x)``, log decay ``g = -exp(A_log) softplus(W_a x + dt_bias)``;
``S_t = exp(g_t) (I - beta_t k_t k_t^T) S_{t-1} + beta_t k_t v_t^T``, ``o_t = S_t^T q_t / sqrt(K)``,
``out_proj(RMSNorm_head(o) * silu(W_g x))``. With beta in (0, 2) (``"gdn-neg"``) the transition has
negative eigenvalues, which parity needs (Grazzi et al. 2024, arXiv 2411.12537).

Widths are the paper's: queries and keys 3/4 of ``d_model``, values twice that, so about 6 D^2
parameters per layer. Per 32 channels of ``d_model`` there is one head (64 beyond width 128, 128
beyond 512, where larger heads measured better in the paper): key size K is 3/4 of that, value size
2 K.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from prism.baselines.mamba2 import initial_step_bias
from prism.baselines.stack import (
    CausalConv,
    RecurrentState,
    divisor_near,
)
from prism.config import PrismConfig
from prism.model.norm import RMSNorm, promote
from prism.model.state import Leaf
from prism.ops.documents import Rows
from prism.ops.gated_delta import gated_delta


class GatedDeltaMixer(nn.Module):
    """One Gated DeltaNet layer.

    Args:
        config: sizes.
        max_beta: upper end of the write strength, 1 or 2; 2 allows negative eigenvalues.
    """

    def __init__(self, config: PrismConfig, max_beta: float = 1.0) -> None:
        super().__init__()
        width = config.d_model
        share = divisor_near(width, 32 if width <= 128 else 64 if width <= 512 else 128)
        heads, self.key_dim = width // share, max(1, round(0.75 * share))
        self.value_dim = 2 * self.key_dim
        self.max_beta, self.chunk_size = max_beta, config.chunk_size
        keys, values = heads * self.key_dim, heads * self.value_dim
        self.conv_widths = (keys, keys, values)
        self.widths = (2 * keys + values, values, heads, heads)
        self.in_proj = nn.Linear(width, sum(self.widths), bias=False)
        self.conv = CausalConv(self.widths[0], width=4, bias=False)
        self.like = RecurrentState(
            Leaf((3, self.widths[0]), "narrow"), Leaf((heads, self.key_dim, self.value_dim))
        )
        self.dt_bias = nn.Parameter(initial_step_bias(heads))
        self.A_log = nn.Parameter(torch.empty(heads).uniform_(0, 16).clamp(min=1e-3).log())
        self.norm = RMSNorm(self.value_dim)
        self.out_proj = nn.Linear(values, width, bias=False)

    def forward(
        self, x: Tensor, state: RecurrentState | None, rows: Rows
    ) -> tuple[Tensor, RecurrentState]:
        """``x [B, T, D]`` of the tokens ``rows`` to ``[B, T, D]``."""
        qkv, gate, rate, strength = self.in_proj(x).split(self.widths, dim=-1)
        qkv, conv = self.conv(qkv, state and state.conv, rows.doc_index, rows.ends)
        q, k, v = F.silu(qkv).split(self.conv_widths, dim=-1)
        q, k = (unit(z.unflatten(-1, (-1, self.key_dim))) for z in (q, k))
        v = v.unflatten(-1, (-1, self.value_dim))
        step = F.softplus(promote(rate) + promote(self.dt_bias))
        beta = self.max_beta * torch.sigmoid(promote(strength))
        if rows.valid is not None:  # padding neither fades nor writes
            step, beta = step * rows.valid[..., None], beta * rows.valid[..., None]
        o, memory = gated_delta(
            q * self.key_dim**-0.5,
            k,
            v,
            step * -promote(self.A_log).exp(),
            beta,
            state=state and state.memory,
            doc_index=rows.doc_index,
            chunk_size=self.chunk_size,
        )
        o = self.norm(o).flatten(2) * F.silu(gate)
        return self.out_proj(o), RecurrentState(conv, memory)


def unit(x: Tensor, eps: float = 1e-6) -> Tensor:
    """``x / sqrt(|x|^2 + eps)`` over the last axis, in at least fp32: never longer than 1."""
    x = promote(x)
    return x * torch.rsqrt(x.square().sum(dim=-1, keepdim=True) + eps)
