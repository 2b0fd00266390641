"""Gain by channel: how much of a signal a block adds to the stream."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ChannelGain(nn.Module):
    """``weight * x`` by channel.

    Args: ``dim`` D; ``start`` of every channel.
    """

    def __init__(self, dim: int, start: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((dim,), start))

    def forward(self, x: Tensor) -> Tensor:
        """``x [.., D]`` to the same shape."""
        return x * self.weight.to(x.dtype)

    emit = forward
