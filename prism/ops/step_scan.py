"""Scan of soft counters: distributions that every token moves by a soft choice of steps.

    p(t) = sum_k w_k(t) p(t-1) M_k + u(t)               p, u in R^S,   k = -K .. K
    M_k moves position i to min(max(i + k, 0), S - 1)

It is a :func:`prism.ops.matrix_scan.matrix_scan` with A = sum_k w_k M_k, and for long calls that is
how it is computed. Up to ``LOOPED`` tokens it is a loop that never makes A: per token one product
with the constant ``[S, (2 K + 1) S]`` and one with w, in place of S^2 numbers per token and counter
written, read, and their gradients. The adjoint is the same loop from the right with M transposed.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from prism.ops.decay import no_autocast
from prism.ops.matrix_scan import matrix_scan

LOOPED = 512


def step_matrices(positions: int, reach: int, like: Tensor) -> Tensor:
    """M, ``[2 K + 1, S, S]``, K = ``reach``: row i of M_k has its one where position i goes."""
    place = torch.arange(positions, device=like.device)
    step = torch.arange(-reach, reach + 1, device=like.device)
    to = (place + step[:, None]).clamp(0, positions - 1)
    return nn.functional.one_hot(to, positions).to(like.dtype)


def step_scan(weights: Tensor, inputs: Tensor, start: Tensor) -> Tensor:
    """Run the counters.

    Args:
        weights: ``[B, T, U, 2 K + 1]``, w; zeros forget everything before.
        inputs: ``[B, T, U, S]``, u.
        start: ``[B, U, S]``, p before the first token.

    Returns:
        ``[B, T, U, S]``, p.
    """
    with no_autocast(weights):  # p stays a distribution
        moves = step_matrices(inputs.shape[-1], weights.shape[-1] // 2, weights)
        if weights.shape[1] <= LOOPED:
            return _StepScan.apply(weights, inputs, start, moves)
        return step_scan_by_matrices(weights, inputs, start)


def step_scan_by_matrices(weights: Tensor, inputs: Tensor, start: Tensor) -> Tensor:
    """The same by the matrices A: the reference of the loop, and the form for long calls."""
    moves = step_matrices(inputs.shape[-1], weights.shape[-1] // 2, weights)
    matrices = (weights @ moves.flatten(1)).unflatten(-1, moves.shape[1:])
    return matrix_scan(matrices, inputs[..., None, :], start[..., None, :]).squeeze(-2)


class _StepScan(torch.autograd.Function):
    """The loop, with the adjoint loop as its gradient."""

    generate_vmap_rule = True

    @staticmethod
    def forward(weights: Tensor, inputs: Tensor, start: Tensor, moves: Tensor) -> Tensor:
        return _loop(weights, inputs, start, moves)

    @staticmethod
    def setup_context(ctx, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        weights, _, start, moves = inputs
        ctx.save_for_backward(weights, start, moves, output)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        weights, start, moves, states = ctx.saved_tensors
        # from the right: l(t) = l(t+1) A(t+1)^T + g(t)
        after = torch.cat([torch.zeros_like(weights[:, :1]), weights.flip(1)[:, :-1]], dim=1)
        adjoint = _loop(after, grad.flip(1), torch.zeros_like(start), moves.mT).flip(1)
        before = torch.cat([start[:, None], states[:, :-1]], dim=1)
        moved = (before @ _side_by_side(moves)).unflatten(-1, (moves.shape[0], -1))
        first = _moved(adjoint[:, 0], weights[:, 0], moves.mT)
        return (moved @ adjoint[..., None]).squeeze(-1), adjoint, first, None


def _side_by_side(moves: Tensor) -> Tensor:
    """``[K, S, S]`` as ``[S, K S]``: one product gives p M_k of every k."""
    return moves.transpose(0, 1).flatten(1)


def _moved(p: Tensor, weights: Tensor, moves: Tensor) -> Tensor:
    """``sum_k w_k p M_k`` of ``p [.., S]``, ``weights [.., K]``."""
    each = (p @ _side_by_side(moves)).unflatten(-1, (moves.shape[0], -1))
    return (weights[..., None, :] @ each).squeeze(-2)


def _loop(weights: Tensor, inputs: Tensor, start: Tensor, moves: Tensor) -> Tensor:
    wide, kinds = _side_by_side(moves), moves.shape[0]
    rows, length, count, size = inputs.shape
    p, states = start.reshape(rows * count, size), []
    weights = weights.transpose(0, 1).reshape(length, rows * count, 1, kinds)
    inputs = inputs.transpose(0, 1).reshape(length, rows * count, 1, size)
    for weight, added in zip(weights.unbind(0), inputs.unbind(0), strict=True):
        each = (p @ wide).view(rows * count, kinds, size)
        p = torch.baddbmm(added, weight, each).squeeze(1)
        states.append(p)
    return torch.stack(states).view(length, rows, count, size).transpose(0, 1).contiguous()
