"""Hard choice with a soft gradient (straight-through).

    y = candidate[argmax_p s_p];     dy / ds = that of  sum_p softmax(s)_p candidate_p

Forward, exactly one candidate is taken; backward, the scores learn as if the mixture had been
(arXiv 1308.3432). The fused form gathers and scatters, and forms no one-hot products.
"""

from __future__ import annotations

import torch
from torch import Tensor

from prism.ops.counters import straight_through

SMALL = 10_000  # numbers from which on one pass per primitive beats an argmax on a CPU


def hard_choice(score: Tensor, candidates: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Take the best of P candidates per unit; the first of equals.

    Args:
        score: ``[..., P, U]``.
        candidates: P of ``[..., 2 U]``, the two numbers of unit u at u and U + u.

    Returns:
        The chosen candidates ``[..., 2 U]`` and their index ``[..., U]``.
    """
    stacked = torch.stack(candidates, dim=-2)
    if not torch.is_grad_enabled():
        picked = _best(score)
        return _take(stacked, picked), picked.squeeze(-2)
    return _HardChoice.apply(score, stacked)


def hard_choice_reference(score: Tensor, candidates: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The plain reference of :func:`hard_choice`: a one-hot mixture."""
    soft = score.softmax(dim=-2)
    picked = soft.argmax(dim=-2)
    hard = torch.zeros_like(soft).scatter(-2, picked.unsqueeze(-2), 1.0)
    weight = straight_through(hard, soft)
    both = torch.cat([weight, weight], dim=-1)
    return (both * torch.stack(candidates, dim=-2)).sum(dim=-2), picked


class _HardChoice(torch.autograd.Function):
    """Index of the best, and the gather of it, with the gradients of the softmax mixture."""

    generate_vmap_rule = True

    @staticmethod
    def forward(score: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """``score [.., P, U]`` and ``candidates [.., P, 2 U]``."""
        picked = _best(score)
        return _take(candidates, picked), picked.squeeze(-2)

    @staticmethod
    def setup_context(ctx, inputs: tuple[Tensor, Tensor], output: tuple[Tensor, Tensor]) -> None:
        ctx.save_for_backward(*inputs, output[1])
        ctx.mark_non_differentiable(output[1])

    @staticmethod
    def backward(ctx, grad: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
        score, candidates, picked = ctx.saved_tensors
        both = torch.cat([picked, picked], dim=-1)[..., None, :]
        grad = grad[..., None, :]
        to_candidates = torch.zeros_like(candidates).scatter(-2, both, grad)
        soft = score.softmax(dim=-2)
        gain = (candidates * grad).unflatten(-1, (2, -1)).sum(dim=-2)
        weighted = soft * gain
        to_score = weighted - soft * weighted.sum(dim=-2, keepdim=True)
        return to_score, to_candidates


def _best(score: Tensor) -> Tensor:
    """Index ``[.., 1, U]`` of the largest of ``score [.., P, U]``, the first of equals."""
    traced = torch.compiler.is_compiling()
    if traced or score.device.type != "cpu" or score.numel() < SMALL:
        return score.argmax(dim=-2, keepdim=True)
    # along an axis that is not the last, a CPU's argmax is scalar code; P is small
    best, *others = score.split(1, dim=-2)
    picked = torch.zeros_like(best, dtype=torch.long)
    for p, other in enumerate(others, start=1):
        picked = picked.masked_fill(other > best, p)
        best = torch.maximum(best, other)
    return picked


def _take(candidates: Tensor, picked: Tensor) -> Tensor:
    """Rows ``picked [.., 1, U]`` of ``candidates [.., P, 2 U]``, ``[.., 2 U]``."""
    return candidates.gather(-2, torch.cat([picked, picked], dim=-1)).squeeze(-2)
