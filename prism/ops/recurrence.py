"""Linear recurrence of matrices from chunk to chunk, the only sequential part of a delta rule.

    R(n + 1) = A_n R(n) + G_n                          A [S, S],  R and G [S, M]

One product per chunk forward and one backward: what the backward pass needs of ``A`` is formed for
all chunks at once,

    g(n) = A_n^T g(n + 1) + dL/dR(n),       dL/dG_n = g(n + 1),       dL/dA_n = g(n + 1) R(n)^T
"""

from __future__ import annotations

import torch
from torch import Tensor


def chunk_states(
    gain: Tensor, mix: Tensor, through: Tensor | None, state: Tensor | None
) -> tuple[Tensor, Tensor]:
    """``R(n + 1) = (through_n - mix_n) R(n) + gain_n``.

    Args:
        gain: ``[N, B, H, S, M]``.
        mix: ``[N, B, H, S, S]``.
        through: ``[N or 1, B or 1, H or 1, 1, 1]``; None = 1.
        state: ``[B, H, S, M]`` before the first chunk; None = zeros.

    Returns:
        The state at every chunk's start ``[N, B, H, S, M]`` and after the last ``[B, H, S, M]``.
    """
    if state is None:
        state = torch.zeros_like(gain[0])
    eye = torch.eye(mix.shape[-1], dtype=mix.dtype, device=mix.device)
    move = (eye if through is None else eye * through) - mix
    states = _Recurrence.apply(move.flatten(1, 2), gain.flatten(1, 2), state.flatten(0, 1))
    starts, last = states.unflatten(1, gain.shape[1:3]).split([gain.shape[0], 1])
    return starts, last[0]


def chunk_states_loop(
    gain: Tensor, mix: Tensor, through: Tensor | None, state: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The plain reference of :func:`chunk_states`."""
    state = torch.zeros_like(gain[0]) if state is None else state
    through = gain.new_ones(1) if through is None else through
    starts = []
    for n in range(gain.shape[0]):
        starts.append(state)
        keep = through[min(n, through.shape[0] - 1)]
        state = keep * state + gain[n] - mix[n] @ state
    return torch.stack(starts), state


class _Recurrence(torch.autograd.Function):
    """``move [N, G, S, S]``, ``write [N, G, S, M]`` and ``start [G, S, M]`` to the states before,
    between and after, ``[N + 1, G, S, M]``."""

    generate_vmap_rule = True

    @staticmethod
    def forward(move: Tensor, write: Tensor, start: Tensor) -> Tensor:
        states = [start]
        for a, b in zip(move.unbind(), write.unbind(), strict=True):
            states.append(torch.baddbmm(b, a, states[-1]))
        return torch.stack(states)

    @staticmethod
    def setup_context(ctx, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], output)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        move, states = ctx.saved_tensors
        *grads, g = grad.unbind()
        back = []
        for a, mine in zip(reversed(move.mT.unbind()), reversed(grads), strict=True):
            back.append(g)
            g = torch.baddbmm(mine, a, g)
        to_write = torch.stack(back[::-1])
        return to_write @ states[:-1].mT, to_write, g
