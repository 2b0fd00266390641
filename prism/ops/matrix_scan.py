"""Linear recurrence with a small matrix per token.

    p(t) = p(t-1) A(t) + u(t)                  p, u in R^{R x S},  A in R^{S x S},  S small

Up to ``LOOPED`` tokens it is a loop of products. Longer calls are cut into chunks: the product of
the matrices of a chunk, for all chunks at once; the states at the chunk borders, one chunk after
the other; then the loop inside all chunks at once. That is 2 C + T / C steps in place of T. The
adjoint obeys the same recurrence from the right with transposed matrices, so nothing but the states
is kept for it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from prism.ops.decay import no_autocast

LOOPED = 512  # tokens of a call that is not cut into chunks
CHUNK = 32


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
            return (start @ matrices[:, 0] + inputs[:, 0])[:, None]
        return _Scan.apply(matrices, inputs, start)


def matrix_scan_loop(matrices: Tensor, inputs: Tensor, start: Tensor) -> Tensor:
    """The plain reference of :func:`matrix_scan`, one token at a time."""
    p, states = start, []
    for matrix, added in zip(matrices.unbind(1), inputs.unbind(1), strict=True):
        p = p @ matrix + added
        states.append(p)
    return torch.stack(states, dim=1)


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
        after = torch.cat([torch.zeros_like(matrices[:, :1]), matrices.flip(1)[:, :-1]], dim=1)
        adjoint = _run(after.mT, grad.flip(1), torch.zeros_like(start)).flip(1)
        before = torch.cat([start[:, None], states[:, :-1]], dim=1)
        return before.mT @ adjoint, adjoint, adjoint[:, 0] @ matrices[:, 0].mT


def _run(matrices: Tensor, inputs: Tensor, start: Tensor) -> Tensor:
    length = matrices.shape[1]
    if length <= LOOPED:
        return matrix_scan_loop(matrices, inputs, start)
    pad = -length % CHUNK
    if pad:  # what stands behind the call is never read
        matrices = nn.functional.pad(matrices, (0, 0) * 3 + (0, pad))
        inputs = nn.functional.pad(inputs, (0, 0) * 3 + (0, pad))
    matrices, inputs = matrices.unflatten(1, (-1, CHUNK)), inputs.unflatten(1, (-1, CHUNK))
    # product and sum of every chunk but the last, all chunks at once
    product, total = matrices[:, :-1, 0], inputs[:, :-1, 0]
    for i in range(1, CHUNK):
        matrix = matrices[:, :-1, i]
        product, total = product @ matrix, total @ matrix + inputs[:, :-1, i]
    borders = matrix_scan_loop(product, total, start)
    p, states = torch.cat([start[:, None], borders], dim=1), []  # [B, n, U, R, S]
    for matrix, added in zip(matrices.unbind(2), inputs.unbind(2), strict=True):
        p = p @ matrix + added
        states.append(p)
    return torch.stack(states, dim=2).flatten(1, 2)[:, :length]
