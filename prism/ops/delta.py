"""Causal delta rule over one superposition shared by the layers, chunked.

Each layer l owns a fast-weight state R_l; what it sees is the sum over itself and the layers below:

    seen_l(t) = r R_l(t-1) + sum_{l' < l} R_l'(t)
    u_l(t)    = beta_l(t) (v_l(t) - seen_l(t)^T k_l(t))        write only what is not known yet
    R_l(t)    = r R_l(t-1) + k_l(t) u_l(t)^T
    o_l(t)    = (sum_{l' <= l} R_l'(t))^T q_l(t)

The lower layers' writes are known when layer l runs, so they only shift its values, and what is
left is the delta rule in WY form (arXiv 2406.06484): inside a chunk one unit-triangular solve, and
from chunk to chunk one matrix product per head. Without layers below it is plain DeltaNet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from prism.ops.decay import cut, no_autocast
from prism.ops.documents import chunk_documents
from prism.ops.recurrence import chunk_states


@dataclass
class Written:
    """Writes of some layers in this call, by chunk (N chunks of C tokens).

    Attributes:
        keys: ``[N, B, H, l C, S]`` keys of l layers, layer after layer.
        updates: ``[N, B, H, l C, M]`` their updates u.
        start: ``[N, B, H, S, M]`` sum of their states at the start of each chunk. Of a call of one
            token it is the sum of the states *after* it, and there is nothing else to know.
        layers: l.
    """

    keys: Tensor | None
    updates: Tensor | None
    start: Tensor
    layers: int


@dataclass
class ChunkFrame:
    """Constants of the chunks of one call: decay powers and document masks. Each has the axes
    ``[N, B, H, ., .]``, the first two of size 1 where all chunks or rows agree; None = all ones.

    Attributes:
        inner: ``[.., C, C]`` retention^(i - j) for j <= i in the same document, else 0; None of a
            call of one token that fades nothing.
        carried: ``[.., C, 1]`` retention^(i + 1) where token i may see the chunk's start.
        kept: ``[.., C, 1]`` weight of token j's write in the state at the chunk's end.
        through: ``[.., 1, 1]`` weight of the state at the start in the one at the end.
    """

    length: int
    size: int
    count: int
    inner: Tensor | None
    carried: Tensor | None
    kept: Tensor | None
    through: Tensor | None

    def split(self, x: Tensor) -> Tensor:
        """``[B, T, H, F]`` to chunks ``[N, B, H, C, F]``, zeros at the end."""
        pad = self.count * self.size - self.length
        x = torch.nn.functional.pad(x, (0, 0, 0, 0, 0, pad)) if pad else x
        x = x.view(x.shape[0], self.count, self.size, *x.shape[2:])
        return x.permute(1, 0, 3, 2, 4).contiguous()

    def join(self, x: Tensor) -> Tensor:
        """Chunks ``[N, B, H, C, F]`` back to ``[B, T, H, F]``."""
        x = x.permute(1, 0, 3, 2, 4)
        return x.reshape(x.shape[0], -1, *x.shape[3:])[:, : self.length]


def chunk_frame(
    length: int,
    retention: Sequence[float],
    doc_index: Tensor | None,
    chunk: int,
    like: Tensor,
    count_real: Tensor | None = None,
) -> ChunkFrame:
    """Frame of a call over ``length`` tokens.

    Args:
        length: T.
        retention: of each of H heads, in (0, 1].
        doc_index: ``[B, T]`` document index of each token or None.
        chunk: tokens per chunk C.
        like: gives device and dtype of the constants.
        count_real: ``[B]`` real tokens of each row, before its padding; None = all.
    """
    lossless = all(r == 1.0 for r in retention)
    if length == 1 and lossless and doc_index is None:
        return ChunkFrame(1, 1, 1, None, None, None, None)  # of no use to one token
    size, count = cut(length, chunk)
    step = torch.arange(size, device=like.device)
    lag = step[:, None] - step[None, :]
    if lossless:
        ones = torch.ones(1, 1, 1, size, size, dtype=like.dtype, device=like.device)
        inner, carried, kept, through = ones.tril(), None, None, None
    else:
        log2r = torch.tensor(retention, dtype=torch.float64, device=like.device).log2()
        log2r = log2r[:, None, None]  # [H, 1, 1]
        inner = torch.exp2(lag.clamp(min=0) * log2r) * (lag >= 0)
        carried = torch.exp2((step[:, None] + 1) * log2r)
        # the last chunk may be short: its end is its last real token
        rest = length if count_real is None else count_real[:, None, None, None]
        start = torch.arange(count, device=like.device).view(count, 1, 1, 1, 1) * size
        filled = (rest - start).clamp(0, size)  # [N, B or 1, 1, 1, 1]
        kept = torch.exp2((filled - 1 - step[:, None]).clamp(min=0) * log2r)
        through = torch.exp2(filled * log2r)
        inner, carried, kept, through = (
            x.to(like.dtype).expand(*[1] * (5 - x.dim()), *x.shape)
            for x in (inner, carried, kept, through)
        )
    if doc_index is None:
        return ChunkFrame(length, size, count, inner, carried, kept, through)
    # [N, B, 1, C], and [N, B, 1, 1] of the state that enters
    index, entering = (x.transpose(0, 1)[:, :, None] for x in chunk_documents(doc_index, size))
    last, entering = index[..., -1:], entering[..., None]
    masks = (
        index[..., :, None] == index[..., None, :],
        (index == entering)[..., None],
        (index == last)[..., None],
        (last == entering)[..., None],
    )
    parts = [
        mask.to(like.dtype) if part is None else part * mask
        for part, mask in zip((inner, carried, kept, through), masks, strict=True)
    ]
    return ChunkFrame(length, size, count, *parts)


def delta_rule(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    beta: Tensor,
    frame: ChunkFrame,
    state: Tensor | None = None,
    below: Written | None = None,
) -> tuple[Tensor, Tensor, Written]:
    """One layer of the shared tape.

    Args:
        q: ``[B, T, H, S]`` queries.
        k: ``[B, T, H, S]`` unit keys.
        v: ``[B, T, H, M]`` values.
        beta: ``[B, T, H]`` write gates in (0, 2); 0 writes nothing.
        frame: :func:`chunk_frame` of this call.
        state: ``[B, H, S, M]`` this layer's own fast-weight state before the call; None = zeros.
        below: writes of the layers below in this call; None = there are none.

    Returns:
        Reads ``[B, T, H, M]``, its own state after the call ``[B, H, S, M]``, and what this
        layer and those below have written.
    """
    with no_autocast(q):  # the state is at least fp32
        if frame.length == 1:
            return _one_token(q, k, v, beta, frame, state, below)
        return _chunked(q, k, v, beta, frame, state, below)


def _chunked(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    beta: Tensor,
    frame: ChunkFrame,
    state: Tensor | None,
    below: Written | None,
) -> tuple[Tensor, Tensor, Written]:
    """:func:`delta_rule` of several tokens."""
    q, k, v, beta = (frame.split(x) for x in (q, k, v, beta[..., None]))
    size, sizes = frame.size, [v.shape[-1], k.shape[-1]]
    # keys and queries against all keys at once
    keys = k if below is None else torch.cat([below.keys, k], dim=-2)
    layers = 1 if below is None else below.layers + 1
    rows = torch.cat([k, q], dim=-2)
    scores = _times(rows @ keys.mT, frame.inner, 2, layers)
    at_start = rows if frame.carried is None else _times(rows, frame.carried, 2, k.shape[-1])
    of_keys, of_queries = _parted(scores, [size, size], -2)
    keys_at_start, queries_at_start = _parted(at_start, [size, size], -2)
    if below is not None:
        others, of_keys = _parted(of_keys, [(layers - 1) * size, size], -1)
        v = v - others @ below.updates - keys_at_start @ below.start
    rhs = torch.cat([v, keys_at_start], dim=-1) * beta
    # unitriangular: only what lies below the diagonal is read
    solved = torch.linalg.solve_triangular(of_keys * beta, rhs, upper=False, unitriangular=True)
    kept = k if frame.kept is None else k * frame.kept
    gain, mix = (kept.mT @ solved).split(sizes, dim=-1)
    start, state = chunk_states(gain, mix, frame.through, state)
    fresh, pull = solved.split(sizes, dim=-1)
    update = fresh - pull @ start
    if below is None:
        written = Written(keys, update, start, layers)
    else:
        updates = torch.cat([below.updates, update], dim=-2)
        written = Written(keys, updates, below.start + start, layers)
    out = of_queries @ written.updates + queries_at_start @ written.start
    return frame.join(out), state, written


def _parted(x: Tensor, sizes: list[int], dim: int) -> tuple[Tensor, ...]:
    """``x.split(sizes, dim)``, as tensors of their own for an exporter, which cannot decide on
    strides whose length it does not know."""
    parts = x.split(sizes, dim=dim)
    return (
        tuple(part.clone(memory_format=torch.contiguous_format) for part in parts)
        if torch.compiler.is_exporting()
        else parts
    )


def _times(x: Tensor, weight: Tensor, below: int, beside: int) -> Tensor:
    """``x [.., r C, l F]`` times ``weight [.., C, F]``, r times one below the other and l times
    one beside the other."""
    if torch.compiler.is_exporting():  # cannot decide in which order to merge unknown axes
        return x * weight.tile(below, beside)
    rows, columns = weight.shape[-2:]
    parts = x.unflatten(-2, (below, rows)).unflatten(-1, (beside, columns))
    weight = weight[..., None, :, None, :]
    return (parts * weight).flatten(-2).flatten(-3, -2)


def _one_token(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    beta: Tensor,
    frame: ChunkFrame,
    state: Tensor | None,
    below: Written | None,
) -> tuple[Tensor, Tensor, Written]:
    """:func:`delta_rule` of one token: the recurrence as it is written."""
    row, beta = k.transpose(1, 2), beta.transpose(1, 2)[..., None]  # [B, H, 1, S], [B, H, 1, 1]
    column, v = row.mT, v.transpose(1, 2)  # [B, H, S, 1], [B, H, 1, M]
    if state is None:
        state = torch.zeros_like(column * v)
    elif frame.through is not None:
        state = state * frame.through[0]
    seen = state if below is None else state + below.start
    update = beta * (v - row @ seen)
    after = torch.addcmul(state, column, update)
    seen = after if below is None else torch.addcmul(seen, column, update)
    out = q.transpose(1, 2) @ seen
    return out.transpose(1, 2), after, Written(None, None, seen, 0)


def delta_rule_loop(
    q: list[Tensor],
    k: list[Tensor],
    v: list[Tensor],
    beta: list[Tensor],
    retention: Tensor,
    states: list[Tensor] | None = None,
    doc_index: Tensor | None = None,
) -> tuple[list[Tensor], list[Tensor]]:
    """The plain reference: all layers together, one token at a time.

    Args:
        q, k, v, beta: per layer, as in :func:`delta_rule`.
        retention: ``[H]``.
        states: per layer ``[B, H, S, M]`` or None.
        doc_index: ``[B, T]`` document index of each token or None.

    Returns:
        Per layer the reads ``[B, T, H, M]`` and the final state ``[B, H, S, M]``.
    """
    empty = torch.zeros_like(k[0][:, 0, :, :, None] * v[0][:, 0, :, None, :])
    own = [empty for _ in q] if states is None else list(states)
    keep = retention.to(empty)[:, None, None]
    before = torch.zeros_like(q[0][:, 0, 0, 0], dtype=torch.long)
    reads: list[list[Tensor]] = [[] for _ in q]
    for t in range(q[0].shape[1]):
        if doc_index is not None:
            same = (doc_index[:, t] == before)[:, None, None, None]
            own = [torch.where(same, r, 0.0) for r in own]
            before = doc_index[:, t]
        below = empty
        for layer, state in enumerate(own):
            key, value = k[layer][:, t, :, :, None], v[layer][:, t, :, None, :]
            seen = keep * state + below
            known = (seen * key).sum(dim=-2, keepdim=True)
            update = beta[layer][:, t, :, None, None] * (value - known)
            own[layer] = keep * state + key * update
            below = below + own[layer]
            reads[layer].append((below * q[layer][:, t, :, :, None]).sum(dim=-2))
    return [torch.stack(r, dim=1) for r in reads], own
