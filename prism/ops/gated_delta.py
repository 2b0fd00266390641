"""The gated delta rule in chunks: forget a little, then correct what the key recalls.

``S_t = exp(g_t) (I - beta_t k_t k_t^T) S_{t-1} + beta_t k_t v_t^T`` and ``o_t = S_t^T q_t`` (Yang,
Kautz and Hatamizadeh 2024, arXiv 2412.06464). Inside a chunk the corrections depend on one another;
written out they are a unit lower triangular system (the WY form),

    (I + tril(diag(beta) K K^T * D, -1)) [U | W] = diag(beta) [V | exp(G) K],

solved once per chunk, where D holds the decays ``exp(G_i - G_j)``. The corrections are then
``U - W S`` for the state S that enters the chunk, and S itself follows a small linear recurrence
over chunks, ``S' = (exp(G_C) I - K~^T W) S + K~^T U`` with ``K~ = exp(G_C - G) K``: one matrix
product per chunk is all that is sequential. The system is well conditioned for keys of length
<= 1 and beta in [0, 2]; longer keys make it blow up.
"""

from __future__ import annotations

import torch
from torch import Tensor

from prism.ops.decay import chunk_decay, chunk_length, continues, no_autocast, to_chunks


def gated_delta(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    log_decay: Tensor,
    beta: Tensor,
    state: Tensor | None = None,
    doc_index: Tensor | None = None,
    chunk_size: int = 64,
) -> tuple[Tensor, Tensor]:
    """The chunked form: equal to :func:`gated_delta_loop`, parallel over time.

    Args:
        q: ``[B, T, H, K]`` queries.
        k: ``[B, T, H, K]`` keys of length <= 1.
        v: ``[B, T, H, V]`` values.
        log_decay: ``[B, T, H]`` g <= 0 in nats, finite.
        beta: ``[B, T, H]`` write strength in [0, 2].
        state: ``[B, H, K, V]`` state carried in; None = zeros.
        doc_index: ``[B, T]`` document indices (0 = the carried document); None = one document.
        chunk_size: most tokens per chunk; changes speed, not results.

    Returns:
        o ``[B, T, H, V]`` in the dtype of ``v`` and the state ``[B, H, K, V]`` after the last
        token, in at least fp32 like everything inside.
    """
    length = q.shape[1]
    if length == 1:
        return gated_delta_loop(q, k, v, log_decay, beta, state, doc_index)
    with no_autocast(q):
        dtype, wide = v.dtype, torch.promote_types(v.dtype, torch.float32)
        size = chunk_length(length, chunk_size)
        q, k, v, beta = (
            to_chunks(z.to(wide), size).transpose(2, 3).contiguous()
            for z in (q, k, v, beta[..., None])
        )
        decay = chunk_decay(log_decay.to(wide), doc_index, size)
        strong = k * beta
        start = decay.from_start[..., None]
        # unitriangular: only what lies below the diagonal is read, so it needs no further mask.
        solved = torch.linalg.solve_triangular(
            (strong @ k.mT) * decay.within,
            torch.cat([v * beta, strong * start], dim=-1),
            upper=False,
            unitriangular=True,
        )
        u, w = solved.split([v.shape[-1], k.shape[-1]], dim=-1)
        ends = (k * decay.to_end[..., None]).mT
        keep = torch.diag_embed(decay.across[..., None].expand(*decay.across.shape, k.shape[-1]))
        if state is None:
            state = v.new_zeros(*v.shape[:1], v.shape[2], k.shape[-1], v.shape[-1])
        entering, state = _scan(keep - ends @ w, ends @ u, state.to(wide))
        o = ((q @ k.mT) * decay.within) @ (u - w @ entering) + (q * start) @ entering
        return o.transpose(2, 3).flatten(1, 2)[:, :length].to(dtype), state


def _scan(move: Tensor, write: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """``S_{n+1} = move_n S_n + write_n`` over the chunks.

    Args:
        move: ``[B, n, H, K, K]``.
        write: ``[B, n, H, K, V]``.
        state: ``[B, H, K, V]``.

    Returns:
        The state entering each chunk ``[B, n, H, K, V]``, and the last one ``[B, H, K, V]``.
    """
    batch = (write.shape[0], write.shape[2])
    moves = move.transpose(0, 1).flatten(1, 2)
    writes = write.transpose(0, 1).flatten(1, 2)
    s = state.flatten(0, 1)
    entering = []
    for a, b in zip(moves.unbind(0), writes.unbind(0), strict=True):
        entering.append(s)
        s = torch.baddbmm(b, a, s)
    return torch.stack(entering).unflatten(1, batch).transpose(0, 1), s.unflatten(0, batch)


def gated_delta_loop(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    log_decay: Tensor,
    beta: Tensor,
    state: Tensor | None = None,
    doc_index: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The recurrence token by token. Arguments and result as :func:`gated_delta`."""
    dtype, wide = v.dtype, torch.promote_types(v.dtype, torch.float32)
    q, k, v, log_decay, beta = (z.to(wide) for z in (q, k, v, log_decay, beta))
    if state is None:
        state = v.new_zeros(*k.shape[:1], *k.shape[2:], v.shape[-1])
    state = state.to(wide)
    keep = log_decay.exp() * continues(doc_index, v)[..., None]
    o = []
    for t in range(q.shape[1]):
        state = keep[:, t, :, None, None] * state
        key, query = k[:, t, :, :, None], q[:, t, :, :, None]
        error = v[:, t, :, None] - (key * state).sum(dim=2, keepdim=True)
        state = torch.addcmul(state, key, beta[:, t, :, None, None] * error)
        o.append((query * state).sum(dim=2))
    return torch.stack(o, dim=1).to(dtype), state
