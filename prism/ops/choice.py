"""Hard choice with a soft gradient (straight-through).

    y = candidate[argmax_p s_p];     dy / ds = that of  sum_p softmax(s)_p candidate_p

Forward, exactly one candidate is taken; backward, the scores learn as if the mixture had been
(arXiv 1308.3432). The fused form keeps the candidates once and forms no one-hot products.
"""

from __future__ import annotations

import torch
from torch import Tensor

from prism.ops.counters import straight_through


def hard_choice(score: Tensor, candidates: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Take the best of P candidates per unit; the first of equals.

    Args:
        score: ``[..., P, U]``.
        candidates: P of ``[..., 2 U]``, the two numbers of unit u at u and U + u.

    Returns:
        The chosen candidates ``[..., 2 U]`` and their index ``[..., U]``.
    """
    return _HardChoice.apply(score, *candidates)


def hard_choice_reference(score: Tensor, candidates: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The plain reference of :func:`hard_choice`: a one-hot mixture."""
    soft = score.softmax(dim=-2)
    picked = soft.argmax(dim=-2)
    hard = torch.zeros_like(soft).scatter(-2, picked.unsqueeze(-2), 1.0)
    weight = straight_through(hard, soft)
    both = torch.cat([weight, weight], dim=-1)
    return (both * torch.stack(candidates, dim=-2)).sum(dim=-2), picked


class _HardChoice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, score: Tensor, *candidates: Tensor) -> tuple[Tensor, Tensor]:
        # P is small: P sweeps over contiguous rows beat one argmax and one gather along P
        best = score[..., 0, :]
        picked = torch.zeros_like(best, dtype=torch.uint8)
        for p in range(1, len(candidates)):
            picked = torch.where(score[..., p, :] > best, p, picked)
            best = torch.maximum(best, score[..., p, :])
        both = torch.cat([picked, picked], dim=-1)
        y = candidates[0]
        for p in range(1, len(candidates)):
            y = torch.where(both == p, candidates[p], y)
        picked = picked.long()
        ctx.save_for_backward(score, both, *candidates)
        ctx.mark_non_differentiable(picked)
        return y.clone() if len(candidates) == 1 else y, picked

    @staticmethod
    def backward(ctx, grad: Tensor, _: Tensor) -> tuple[Tensor, ...]:
        score, both, *candidates = ctx.saved_tensors
        to_candidates = [torch.where(both == p, grad, 0.0) for p in range(len(candidates))]
        soft = score.softmax(dim=-2)
        gains = []
        for candidate in candidates:
            first, second = (candidate * grad).chunk(2, dim=-1)
            gains.append(first + second)
        gain = torch.stack(gains, dim=-2)
        to_score = soft * (gain - (soft * gain).sum(dim=-2, keepdim=True))
        return to_score, *to_candidates
