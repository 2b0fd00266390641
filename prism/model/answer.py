"""The symbolic expert's own answer, mixed into the model's by how sure it is.

    p = (1 - w) p_model + w p_symbolic,        w = sigmoid(a + b logit(max p_symbolic))

The symbolic expert is trained by the cross-entropy of its own answer, so what it is sure of it is
mostly right about, at any length that its machines count exactly; the network is sure of much that
it only knows at the lengths that it was trained on. ``a`` and ``b`` are learned, 0 and 1 at first.
A mixture of probabilities, as a model that knows better is never overruled by more than w.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from prism.model.norm import promote

NEVER_SURE = 1e-4  # probabilities are kept this far from 0 and 1 in the gate


class SymbolicAnswer(nn.Module):
    """The mixture; its two numbers are ``gate``, a and b."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Parameter(torch.tensor([0.0, 1.0]))

    def forward(self, logits: Tensor, own: Tensor) -> Tensor:
        """Log probabilities ``[B, T, V]`` of the mixture.

        Args:
            logits: ``[B, T, V]`` of the model.
            own: ``[B, T, V]`` of the symbolic expert; no gradient reaches it.
        """
        own = promote(own.detach()).log_softmax(dim=-1)
        sure = torch.logit(own.amax(dim=-1, keepdim=True).exp(), eps=NEVER_SURE)
        start, slope = promote(self.gate).unbind()
        gate = start + slope * sure
        mixed = torch.logaddexp(
            promote(logits).log_softmax(dim=-1) + nn.functional.logsigmoid(-gate),
            own + nn.functional.logsigmoid(gate),
        )
        return mixed.to(logits.dtype)
