"""The symbolic expert's own answers, mixed into the model's by how sure each machine is.

    p = w_1 p_1 + (1 - w_1) ( w_2 p_2 + (1 - w_2) ( .. p_model ) )
    w_j = sigmoid(logit(max p_j) - 4)

The machines are trained by the cross-entropy of their own answers, so what one is sure of it is
mostly right about, at any length that it counts exactly; the network is sure of much that it only
knows at the lengths that it was trained on. A machine that gives an answer .98 has half of the say.

They come one after the other in the order of their exactness: units, which count exactly, then soft
counters, then products of reflections, which drift, then the network. Several are sure and right at
the lengths of training, so nothing that is learned there could tell whom to follow at ten times the
length: the order is fixed, and so is w. Learned, it remembers who was wrong early, and no gradient
corrects it once all are right. A mixture of probabilities, as a model that knows better is never
overruled by more than w.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from prism.model.norm import promote

DOUBT = 4.0  # in logits
NEVER_SURE = 1e-4  # probabilities are kept this far from 0 and 1 in the gate


def mixed_answer(logits: Tensor, own: Sequence[Tensor]) -> Tensor:
    """Log probabilities ``[B, T, V]`` of the mixture.

    Args:
        logits: ``[B, T, V]`` of the network.
        own: ``[B, T, V]`` of each machine, first come first; no gradient reaches them.
    """
    model = promote(logits).softmax(dim=-1)
    with torch.no_grad():
        machines, left = torch.zeros_like(model), torch.ones_like(model[..., :1])
        for each in own:
            p = promote(each).softmax(dim=-1)
            sure = torch.logit(p.amax(dim=-1, keepdim=True), eps=NEVER_SURE)
            taken = torch.sigmoid(sure - DOUBT)  # [B, T, 1]
            machines = torch.addcmul(machines, p, left * taken)
            left = left * (1 - taken)
    mixed = torch.addcmul(machines, model, left)
    # a sum of logarithms of probabilities costs several times as much
    return mixed.clamp(min=torch.finfo(mixed.dtype).tiny).log().to(logits.dtype)
