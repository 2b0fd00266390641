"""The symbolic expert's own answers, mixed into the model's by how sure each machine is.

    p = w_1 p_1 + (1 - w_1) ( w_2 p_2 + (1 - w_2) ( .. p_model ) )
    w_j = sigmoid(a_j + b_j logit(max p_j))

The machines are trained by the cross-entropy of their own answers, so what one is sure of it is
mostly right about, at any length that it counts exactly; the network is sure of much that it only
knows at the lengths that it was trained on. ``a`` and ``b`` are learned, -4 and 1 at first.

One after the other in the order of their exactness: units, which count exactly, then soft counters,
then products of reflections, which drift, then the network. Several are sure and right at the
lengths of training; with one softmax over all, what is learned there decides which of them counts
at ten times the length. A mixture of probabilities, as a model that knows better is never overruled
by more than w.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from prism.model.norm import promote

FIRST_START = -4.0
NEVER_SURE = 1e-4  # probabilities are kept this far from 0 and 1 in the gate


class SymbolicAnswer(nn.Module):
    """The mixture.

    Args: ``machines`` J.
    """

    def __init__(self, machines: int) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.full((machines,), FIRST_START))
        self.slope = nn.Parameter(torch.ones(machines))

    def forward(self, logits: Tensor, own: Tensor) -> Tensor:
        """Log probabilities ``[B, T, V]`` of the mixture.

        Args:
            logits: ``[B, T, V]`` of the network.
            own: ``[B, T, J, V]`` of the machines, first come first; no gradient reaches them.
        """
        own = promote(own.detach()).softmax(dim=-1)
        sure = torch.logit(own.amax(dim=-1), eps=NEVER_SURE)  # [B, T, J]
        taken = torch.sigmoid(promote(self.start) + promote(self.slope) * sure)
        left = torch.cumprod(1 - taken, dim=-1)
        weight = taken * torch.cat([torch.ones_like(left[..., :1]), left[..., :-1]], dim=-1)
        network = left[..., -1:] * promote(logits).softmax(dim=-1)
        mixed = network + (weight[..., None, :] @ own).squeeze(-2)
        # a sum of logarithms of probabilities costs several times as much
        return mixed.clamp(min=torch.finfo(mixed.dtype).tiny).log().to(logits.dtype)
