"""Output-norm penalty of experts that are trained apart, as a term of the loss.

    penalty(t) = w mean over blocks of |sum_k w_k E_k(t)|^2 / |x(t)|^2       ``PrismOutput.penalty``
    loss       = cross-entropy + mean over tokens of penalty(t) (f on out-of-domain rows, else 1)

The model measures the relative norm of what its experts add to the residual stream (block.py) and
weighs it by ``PrismConfig.expert_output_penalty``; a penalty on the gate alone would be evaded by a
larger output projection behind a nearly closed gate. This file holds the weight w and the factor f
of modular training. On text of other branches' domains the penalty is f times as large, so that an
expert adds output there only where it lowers the loss by more, and branches that were trained
apart interfere less when they are summed.
"""

from __future__ import annotations

from torch import Tensor

OUTPUT_PENALTY = 0.03  # w
OUT_OF_DOMAIN_FACTOR = 30.0  # f


def out_of_domain_penalty(penalty: Tensor, out_of_domain: Tensor) -> Tensor:
    """Penalty ``[B, T]`` on out-of-domain tokens beyond that of every token; 0 on the others.

    Args:
        penalty: ``[B, T]``, ``PrismOutput.penalty``.
        out_of_domain: ``[B, T]`` bool, or a shape that broadcasts to it.
    """
    return (OUT_OF_DOMAIN_FACTOR - 1) * penalty * out_of_domain.to(penalty.dtype)
