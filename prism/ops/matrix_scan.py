"""Linear recurrences with a small matrix per token.

    p(t) = p(t-1) A(t) + u(t)                  p, u in R^{R x S},  A in R^{S x S},  S small

Up to ``LOOPED`` tokens it is a loop of products. Longer calls are cut into chunks: the product of
the matrices of a chunk, for all chunks at once; the states at the chunk borders, one chunk after
the other; then the loop inside all chunks at once. That is 2 C + T / C steps in place of T. The
adjoint obeys the same recurrence from the right with transposed matrices, so nothing but the states
is kept for it. What matrices that contract have made smaller than ``LEAST`` is 0 on a CPU, which
takes many times as long for numbers that are no longer normal.

Soft counters are distributions p in R^S that every token moves by a soft choice of steps:

    A(t) = sum_k w_k(t) M_k,   k = -K .. K,    M_k moves position i to min(max(i + k, 0), S - 1)

Their loop never makes A: per token one product with the constant ``[S, (2 K + 1) S]`` and one with
w, in place of S^2 numbers per token and counter written, read, and their gradients.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from prism.ops.decay import no_autocast, steps_pay

LOOPED = 512  # tokens of a call that is not cut into chunks
CHUNK = 32
AT_ONCE = 8  # tokens
LEAST = 1e-30


def matrix_scan(matrices: Tensor, inputs: Tensor, start: Tensor) -> Tensor:
    """Run the recurrence.

    Args:
        matrices: ``[B, T, U, S, S]``, A; zero forgets everything before.
        inputs: ``[B, T, U, R, S]``, u.
        start: ``[B, U, R, S]``, p before the first token.

    Returns:
        ``[B, T, U, R, S]``, p.
    """
    with no_autocast(matrices):  # the state is at least fp32
        if matrices.shape[1] == 1:
            return _moved_by(start, matrices[:, 0], inputs[:, 0])[:, None]
        return _Scan.apply(matrices, inputs, start)


def matrix_scan_loop(matrices: Tensor, inputs: Tensor, start: Tensor) -> Tensor:
    """The plain reference of :func:`matrix_scan`, one token at a time."""
    p, states = start, []
    for matrix, added in zip(matrices.unbind(1), inputs.unbind(1), strict=True):
        p = p @ matrix + added
        states.append(p)
    return torch.stack(states, dim=1)


def _moved_by(p: Tensor, matrix: Tensor, added: Tensor) -> Tensor:
    p = p @ matrix + added
    return nn.functional.hardshrink(p, LEAST) if p.device.type == "cpu" else p


class _Scan(torch.autograd.Function):
    """The recurrence, with the adjoint recurrence as its gradient."""

    generate_vmap_rule = True

    @staticmethod
    def forward(matrices: Tensor, inputs: Tensor, start: Tensor) -> Tensor:
        return _run(matrices, inputs, start)

    @staticmethod
    def setup_context(ctx, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], inputs[2], output)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        matrices, start, states = ctx.saved_tensors
        # from the right: l(t) = l(t+1) A(t+1)^T + g(t)
        behind = torch.cat([matrices[:, 1:], torch.zeros_like(matrices[:, :1])], dim=1)
        adjoint = _run(behind, grad, torch.zeros_like(start), back=True)
        before = torch.cat([start[:, None], states[:, :-1]], dim=1)
        return before.mT @ adjoint, adjoint, adjoint[:, 0] @ matrices[:, 0].mT


def _run(matrices: Tensor, inputs: Tensor, start: Tensor, back: bool = False) -> Tensor:
    """The recurrence; ``back``: from the last token to the first, by the transposed matrices, and
    then ``start`` must be 0, as the fill at the end forgets it."""
    length = matrices.shape[1]
    if length <= LOOPED:
        return _through(matrices, inputs, start, 1, back)
    pad = -length % CHUNK
    if pad:  # what stands behind the call is never read
        matrices = nn.functional.pad(matrices, (0, 0) * 3 + (0, pad))
        inputs = nn.functional.pad(inputs, (0, 0) * 3 + (0, pad))
    matrices, inputs = matrices.unflatten(1, (-1, CHUNK)), inputs.unflatten(1, (-1, CHUNK))
    # product and sum of every chunk but the one that comes last, all chunks at once
    but_last = slice(1, None) if back else slice(None, -1)
    first, *others = _in_order(CHUNK, back)
    product, total = _turned(matrices[:, but_last, first], back), inputs[:, but_last, first]
    for i in others:
        matrix = _turned(matrices[:, but_last, i], back)
        product, total = product @ matrix, total @ matrix + inputs[:, but_last, i]
    borders = _through(_turned(product, back), total, start, 1, back)
    parts = [borders, start[:, None]] if back else [start[:, None], borders]
    p = torch.cat(parts, dim=1)  # [B, n, U, R, S]
    return _through(matrices, inputs, p, 2, back).flatten(1, 2)[:, :length]


def _through(matrices: Tensor, inputs: Tensor, p: Tensor, axis: int, back: bool) -> Tensor:
    """The recurrence one step at a time along ``axis``."""
    states = []
    for t in _in_order(inputs.shape[axis], back):
        p = _moved_by(p, _turned(matrices.select(axis, t), back), inputs.select(axis, t))
        states.append(p)
    return torch.stack(states[::-1] if back else states, dim=axis)


def _in_order(count: int, back: bool) -> list[int]:
    return list(range(count))[:: -1 if back else 1]


def _turned(matrix: Tensor, back: bool) -> Tensor:
    return matrix.mT if back else matrix


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
        if weights.shape[1] > LOOPED and not steps_pay(weights):
            return step_scan_by_matrices(weights, inputs, start)
        moves = step_matrices(inputs.shape[-1], weights.shape[-1] // 2, weights)
        if weights.shape[1] == 1:  # torch takes longer to dispatch a function than to do one step
            return _step_loop(weights, inputs, start, moves)
        return _StepScan.apply(weights, inputs, start, moves)


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
        return _step_loop(weights, inputs, start, moves)

    @staticmethod
    def setup_context(ctx, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        weights, _, start, moves = inputs
        ctx.save_for_backward(weights, start, moves, output)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        weights, start, moves, states = ctx.saved_tensors
        # from the right: l(t) = l(t+1) A(t+1)^T + g(t)
        after = torch.cat([torch.zeros_like(weights[:, :1]), weights.flip(1)[:, :-1]], dim=1)
        adjoint = _step_loop(after, grad.flip(1), torch.zeros_like(start), moves.mT).flip(1)
        before = torch.cat([start[:, None], states[:, :-1]], dim=1)
        first = _moved(adjoint[:, 0], weights[:, 0], moves.mT)
        return _of_moves(before, adjoint, moves), adjoint, first, None


def _side_by_side(moves: Tensor) -> Tensor:
    """``[K, S, S]`` as ``[S, K S]``: one product gives p M_k of every k."""
    return moves.transpose(0, 1).flatten(1)


def _moved(p: Tensor, weights: Tensor, moves: Tensor) -> Tensor:
    """``sum_k w_k p M_k`` of ``p [.., S]``, ``weights [.., K]``."""
    each = (p @ _side_by_side(moves)).unflatten(-1, (moves.shape[0], -1))
    return (weights[..., None, :] @ each).squeeze(-2)


def _of_moves(p: Tensor, g: Tensor, moves: Tensor) -> Tensor:
    """``p M_k g^T`` of every k, ``[B, T, U, K]`` of ``p``, ``g`` ``[B, T, U, S]``. A few tokens at
    a time: p M_k of all k is K times as large as p, and is read once."""
    wide, kinds = _side_by_side(moves), moves.shape[0]
    parts = []
    for mine, other in zip(p.split(AT_ONCE, dim=1), g.split(AT_ONCE, dim=1), strict=True):
        moved = (mine @ wide).unflatten(-1, (kinds, -1))
        parts.append((moved @ other[..., None]).squeeze(-1))
    return torch.cat(parts, dim=1)


def _step_loop(weights: Tensor, inputs: Tensor, start: Tensor, moves: Tensor) -> Tensor:
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
