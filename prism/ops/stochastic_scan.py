"""Linear recurrence over distributions: a row vector times a small matrix per token.

    p(t) = p(t-1) A(t) + u(t)                  p, u in R^S,  A in R^{S x S},  S small

Up to ``LOOPED`` tokens it is a loop of vector products. Longer calls are cut into chunks: the
product of the matrices of a chunk, for all chunks at once; the states at the chunk borders, one
chunk after the other; then the vector loop inside all chunks at once. That is 2 C + T / C steps in
place of T, for S^3 multiplications per token in place of S^2. The adjoint obeys the same recurrence
from the right with transposed matrices, so nothing but the states is kept for it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

LOOPED = 64  # tokens of a call that is not cut into chunks
CHUNK = 32


def stochastic_scan(matrices: Tensor, inputs: Tensor, start: Tensor) -> Tensor:
    """Run the recurrence.

    Args:
        matrices: ``[B, T, U, S, S]``, A; zero forgets everything before.
        inputs: ``[B, T, U, S]``, u.
        start: ``[B, U, S]``, p before the first token.

    Returns:
        ``[B, T, U, S]``, p.
    """
    if matrices.shape[1] == 1:
        return torch.einsum("bui,buij->buj", start, matrices[:, 0])[:, None] + inputs
    return _Scan.apply(matrices, inputs, start)


def stochastic_scan_loop(matrices: Tensor, inputs: Tensor, start: Tensor) -> Tensor:
    """The plain reference of :func:`stochastic_scan`, one token at a time."""
    p, states = start, []
    for matrix, added in zip(matrices.unbind(1), inputs.unbind(1), strict=True):
        p = (p[..., None, :] @ matrix).squeeze(-2) + added
        states.append(p)
    return torch.stack(states, dim=1)


class _Scan(torch.autograd.Function):
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
        to_matrices = before[..., :, None] * adjoint[..., None, :]
        to_start = (adjoint[:, 0, :, None, :] @ matrices[:, 0].mT).squeeze(-2)
        return to_matrices, adjoint, to_start


def _run(matrices: Tensor, inputs: Tensor, start: Tensor) -> Tensor:
    length = matrices.shape[1]
    if length <= LOOPED:
        return stochastic_scan_loop(matrices, inputs, start)
    pad = -length % CHUNK
    if pad:  # what stands behind the call is never read
        matrices = nn.functional.pad(matrices, (0, 0) * 3 + (0, pad))
        inputs = nn.functional.pad(inputs, (0, 0) * 2 + (0, pad))
    matrices, inputs = matrices.unflatten(1, (-1, CHUNK)), inputs.unflatten(1, (-1, CHUNK))
    # product and sum of every chunk but the last, all chunks at once
    product, total = matrices[:, :-1, 0], inputs[:, :-1, 0]
    for i in range(1, CHUNK):
        matrix = matrices[:, :-1, i]
        product = product @ matrix
        total = (total[..., None, :] @ matrix).squeeze(-2) + inputs[:, :-1, i]
    borders = stochastic_scan_loop(product, total, start)
    entering = torch.cat([start[:, None], borders], dim=1)  # [B, n, U, S]
    p, states = entering, []
    for matrix, added in zip(matrices.unbind(2), inputs.unbind(2), strict=True):
        p = (p[..., None, :] @ matrix).squeeze(-2) + added
        states.append(p)
    return torch.stack(states, dim=2).flatten(1, 2)[:, :length]
