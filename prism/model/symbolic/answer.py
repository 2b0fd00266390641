"""The symbolic expert's own answer, mixed into the model's by how sure it is.

    p = (1 - w) p_model + w p_symbolic,        w = sigmoid(a + b logit(max p_symbolic))

The symbolic expert is trained by the cross-entropy of its own answer, so what it is sure of it is
mostly right about, at any length that its machines count exactly; the network is sure of much that
it only knows at the lengths that it was trained on. ``a`` and ``b`` are learned; b is 1 at first,
and a by machine in ``FIRST_START``: where several are sure, units, which count exactly, come before
dials, and these before reflections, whose products drift. A mixture of probabilities, as a model
that knows better is never overruled by more than w.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from prism.model.norm import promote

FIRST_START = {"units": -4.0, "dials": -6.0, "reflections": -8.0}
NEVER_SURE = 1e-4  # probabilities are kept this far from 0 and 1 in the gate


class SymbolicAnswer(nn.Module):
    """The mixture.

    Args: ``machines``, the names of the J.
    """

    def __init__(self, machines: tuple[str, ...]) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.tensor([FIRST_START[name] for name in machines]))
        self.slope = nn.Parameter(torch.ones(len(machines)))

    def forward(self, logits: Tensor, own: Tensor) -> Tensor:
        """Log probabilities ``[B, T, V]`` of the mixture.

        Args:
            logits: ``[B, T, V]`` of the network.
            own: ``[B, T, J, V]`` of the machines; no gradient reaches them.
        """
        own = promote(own.detach()).softmax(dim=-1)
        sure = torch.logit(own.amax(dim=-1), eps=NEVER_SURE)  # [B, T, J]
        gate = promote(self.start) + promote(self.slope) * sure
        weight = nn.functional.pad(gate, (1, 0)).softmax(dim=-1)[..., None, :]
        network = weight[..., :1].squeeze(-1) * promote(logits).softmax(dim=-1)
        mixed = network + (weight[..., 1:] @ own).squeeze(-2)
        # a sum of logarithms of probabilities costs several times as much
        return mixed.clamp(min=torch.finfo(mixed.dtype).tiny).log().to(logits.dtype)
