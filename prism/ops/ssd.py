"""State-space duality: a linear recurrence with one scalar decay per head, in chunks.

``S_t = exp(g_t) S_{t-1} + b_t x_t^T`` and ``y_t = S_t^T c_t``: the sequence map of Mamba-2 (Dao and
Gu 2024, arXiv 2405.21060). The keys ``b`` and the queries ``c`` are shared by all heads, each head
has its own values ``x`` and its own decay. Inside a chunk this is attention with the mask
``exp(G_i - G_j)``; between chunks only the state is carried, so the cost is linear in length.
"""

from __future__ import annotations

import torch
from torch import Tensor

from prism.ops.decay import chunk_decay, chunk_length, continues, no_autocast, to_chunks


def ssd(
    x: Tensor,
    log_decay: Tensor,
    b: Tensor,
    c: Tensor,
    state: Tensor | None = None,
    doc_index: Tensor | None = None,
    chunk_size: int = 64,
) -> tuple[Tensor, Tensor]:
    """The chunked form: equal to :func:`ssd_loop`, parallel over time.

    Args:
        x: ``[B, T, H, P]`` values (Mamba-2: already multiplied by the step size).
        log_decay: ``[B, T, H]`` g <= 0 in nats, finite.
        b: ``[B, T, N]`` keys, shared by the heads.
        c: ``[B, T, N]`` queries, shared by the heads.
        state: ``[B, N, H, P]`` state carried in; None = zeros.
        doc_index: ``[B, T]`` document indices (0 = the carried document); None = one document.
        chunk_size: most tokens per chunk; changes speed, not results.

    Returns:
        y ``[B, T, H, P]`` in the dtype of ``x`` and the state ``[B, N, H, P]`` after the last
        token, in at least fp32 like everything inside.
    """
    length, heads = x.shape[1:3]
    if length == 1:
        return ssd_loop(x, log_decay, b, c, state, doc_index)
    with no_autocast(x):
        dtype, wide = x.dtype, torch.promote_types(x.dtype, torch.float32)
        size = chunk_length(length, chunk_size)
        x, b, c = (to_chunks(z.to(wide), size) for z in (x, b, c))
        decay = chunk_decay(log_decay.to(wide), doc_index, size)
        inside = ((c @ b.mT)[:, :, None] * decay.within) @ x.transpose(2, 3)
        written = b.mT @ (x * decay.to_end.transpose(2, 3)[..., None]).flatten(3)
        if state is None:
            state = x.new_zeros(len(x), b.shape[-1], heads, x.shape[-1])
        state = state.to(wide)
        entering = []
        for write, keep in zip(
            written.unflatten(3, (heads, -1)).unbind(1),
            decay.across[:, :, None, :, None].unbind(1),
            strict=True,
        ):
            entering.append(state)
            state = torch.addcmul(write, keep, state)
        carried = (c @ torch.stack(entering, dim=1).flatten(3)).unflatten(3, (heads, -1))
        y = torch.addcmul(
            inside.transpose(2, 3), decay.from_start.transpose(2, 3)[..., None], carried
        )
        return y.flatten(1, 2)[:, :length].to(dtype), state


def ssd_loop(
    x: Tensor,
    log_decay: Tensor,
    b: Tensor,
    c: Tensor,
    state: Tensor | None = None,
    doc_index: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The recurrence as it is written, token by token. Arguments and result as :func:`ssd`."""
    dtype, wide = x.dtype, torch.promote_types(x.dtype, torch.float32)
    x, b, c, log_decay = (z.to(wide) for z in (x, b, c, log_decay))
    if state is None:
        state = x.new_zeros(len(x), b.shape[-1], *x.shape[2:])
    state = state.to(wide)
    keep = log_decay.exp() * continues(doc_index, x)[..., None]
    y = []
    for t in range(x.shape[1]):
        write = b[:, t, :, None, None] * x[:, t, None]
        state = torch.addcmul(write, keep[:, t, None, :, None], state)
        y.append((c[:, t, :, None, None] * state).sum(dim=1))
    return torch.stack(y, dim=1).to(dtype), state
