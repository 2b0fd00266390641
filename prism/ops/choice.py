"""Hard choice with a soft gradient (straight-through).

    y = candidate[argmax_p s_p];     dy / ds = that of  sum_p softmax(s)_p candidate_p

Forward, exactly one candidate is taken; backward, the scores learn as if the mixture had been
(arXiv 1308.3432). The fused form gathers and scatters, and forms no one-hot products.

Where the scores depend on a token's id alone, so does what is chosen, and what a score learns from
all tokens of one id is a sum: :func:`hard_choice_by_id` chooses once per id.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

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
        both = _both(picked)[..., None, :]
        grad = grad[..., None, :]
        to_candidates = torch.zeros_like(candidates).scatter(-2, both, grad)
        soft = score.softmax(dim=-2)
        gain = (candidates * grad).unflatten(-1, (2, -1)).sum(dim=-2)
        weighted = soft * gain
        to_score = weighted - soft * weighted.sum(dim=-2, keepdim=True)
        return to_score, to_candidates


def hard_choice_by_id(
    score: Tensor, candidates: list[Tensor], ids: Tensor
) -> tuple[Tensor, Tensor]:
    """:func:`hard_choice` for tokens whose scores are those of their ids.

    Args:
        score: ``[V, P, U]``.
        candidates: P of ``[V, 2 U]``, one per id, or ``[B, T, 2 U]``, one per token.
        ids: ``[B, T]`` of 0 .. V - 1.

    Returns:
        The chosen candidates ``[B, T, 2 U]`` and their index ``[B, T, U]``.
    """
    if not torch.is_grad_enabled():
        return _by_id(score, ids, candidates)
    return _HardChoiceById.apply(score, ids, *candidates)


def _by_id(score: Tensor, ids: Tensor, candidates: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    best = _best(score)[:, 0]
    picked = functional.embedding(ids, best)
    of_id, of_token = _both(best), _both(picked)
    table = torch.zeros_like(of_id, dtype=score.dtype)
    for p, each in enumerate(candidates):
        if each.dim() == 2:
            table = torch.where(of_id == p, each, table)
    y = functional.embedding(ids, table)
    for p, each in enumerate(candidates):
        if each.dim() == 3:
            y = torch.where(of_token == p, each, y)
    return y, picked


class _HardChoiceById(torch.autograd.Function):
    """The same with the gradients of the softmax mixture, summed over the tokens of an id."""

    generate_vmap_rule = True

    @staticmethod
    def forward(score: Tensor, ids: Tensor, *candidates: Tensor) -> tuple[Tensor, Tensor]:
        return _by_id(score, ids, candidates)

    @staticmethod
    def setup_context(ctx, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.save_for_backward(*inputs, output[1])
        ctx.mark_non_differentiable(output[1])

    @staticmethod
    def backward(ctx, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        score, ids, *candidates, picked = ctx.saved_tensors
        of_id, of_token = _both(_best(score)[:, 0]), _both(picked)
        total = _sum_by_id(grad, ids, len(score))
        gains, grads = [], []
        for p, each in enumerate(candidates):
            one = each.dim() == 2
            given, chosen = (total, of_id) if one else (grad, of_token)
            gain = (each * given).unflatten(-1, (2, -1)).sum(dim=-2)
            gains.append(gain if one else _sum_by_id(gain, ids, len(score)))
            grads.append(torch.where(chosen == p, given, 0.0))
        weighted = score.softmax(dim=-2)
        mixture = weighted * torch.stack(gains, dim=-2)
        to_score = mixture - weighted * mixture.sum(dim=-2, keepdim=True)
        return to_score, None, *grads


def _both(picked: Tensor) -> Tensor:
    """``picked [.., U]`` of the two numbers of each unit, ``[.., 2 U]``."""
    return torch.cat([picked, picked], dim=-1)


def _sum_by_id(x: Tensor, ids: Tensor, count: int) -> Tensor:
    """Sums ``[V, F]`` of ``x [B, T, F]`` over the tokens of each id."""
    return torch.ops.aten.embedding_dense_backward(x, ids, count, -1, False)


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
    return candidates.gather(-2, _both(picked)).squeeze(-2)
