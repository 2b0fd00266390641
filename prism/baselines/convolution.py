"""Short causal depthwise convolution, and the state of a layer that has it before a recurrence.

``y_t = bias + sum_j w_j * x_{t - (W-1) + j}``, j = 0..W-1: every channel mixes its own last W
tokens. Mamba-2 and Gated DeltaNet put one of width 4 before their recurrence; without it neither
can compare neighbouring tokens, which costs both a large part of their recall.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass
class RecurrentState:
    """State of one Mamba-2 or Gated DeltaNet layer.

    Attributes:
        conv: ``[B, 3, C]`` last inputs of the convolution.
        memory: state of the recurrence, ``[B, N, H, P]`` or ``[B, H, K, V]``.
    """

    conv: Tensor
    memory: Tensor


class CausalConv(nn.Module):
    """Depthwise convolution over the last ``width`` tokens of the same document.

    Args:
        channels: number of channels C.
        width: tokens W that one output sees, itself included.
        bias: add a learned constant per channel.
    """

    def __init__(self, channels: int, width: int = 4, bias: bool = True) -> None:
        super().__init__()
        bound = width**-0.5
        self.weight = nn.Parameter(torch.empty(width, channels).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(channels).uniform_(-bound, bound)) if bias else None

    def forward(
        self, x: Tensor, state: Tensor | None = None, doc_index: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Filter ``x``, continuing ``state``.

        Args:
            x: ``[B, T, C]``.
            state: ``[B, W - 1, C]`` the inputs before, zero where they belong to another
                document; None = zeros.
            doc_index: ``[B, T]`` document indices (0 = the carried document); None = one document.

        Returns:
            y ``[B, T, C]`` and the state for the next call.
        """
        length, reach = x.shape[1], len(self.weight) - 1
        if state is None:
            state = x.new_zeros(len(x), reach, x.shape[2])
        wide = torch.cat([state, x], dim=1)
        newest = self.weight[reach]
        y = x * newest if self.bias is None else torch.addcmul(self.bias, x, newest)
        rest = wide[:, length:]
        if doc_index is None:
            for j in range(reach):
                y = torch.addcmul(y, wide[:, j : j + length], self.weight[j])
            return y, rest
        of = torch.cat([doc_index.new_zeros(len(x), reach), doc_index], dim=1)
        for j in range(reach):
            foreign = (of[:, j : j + length] != doc_index)[..., None]
            y = torch.addcmul(y, wide[:, j : j + length].masked_fill(foreign, 0), self.weight[j])
        return y, rest.masked_fill((of[:, length:] != doc_index[:, -1:])[..., None], 0)
