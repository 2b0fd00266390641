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

from dataclasses import dataclass

import torch
from torch import Tensor

from prism.ops.documents import chunk_documents


@dataclass
class Written:
    """Writes of some layers in this call, by chunk (N chunks of C tokens).

    Attributes:
        keys: ``[B, N, H, l * C, S]`` keys of l layers, layer after layer.
        updates: ``[B, N, H, l * C, M]`` their updates u.
        start: ``[B, N, H, S, M]`` sum of their states at the start of each chunk.
    """

    keys: Tensor
    updates: Tensor
    start: Tensor


@dataclass
class ChunkFrame:
    """Constants of the chunks of one call: decay powers and document masks.

    Attributes:
        inner: ``[.., H, C, C]`` retention^(i - j) for j <= i in the same document, else 0.
        strict: the same for j < i.
        carried: ``[.., H, C, 1]`` retention^(i + 1) where token i may see the chunk's start.
        kept: ``[.., H, C, 1]`` weight of token j's write in the state at the chunk's end.
        through: ``[.., H, 1, 1]`` weight of the state at the start in the one at the end.
    """

    length: int
    size: int
    inner: Tensor
    strict: Tensor
    carried: Tensor
    kept: Tensor
    through: Tensor

    @property
    def count(self) -> int:
        return -(-self.length // self.size)

    def split(self, x: Tensor) -> Tensor:
        """``[B, T, H, F]`` to chunks ``[B, N, H, C, F]``, zeros at the end."""
        pad = self.count * self.size - self.length
        x = torch.nn.functional.pad(x, (0, 0, 0, 0, 0, pad)) if pad else x
        return x.view(x.shape[0], self.count, self.size, *x.shape[2:]).transpose(2, 3)

    def join(self, x: Tensor) -> Tensor:
        """Chunks ``[B, N, H, C, F]`` back to ``[B, T, H, F]``."""
        x = x.transpose(2, 3)
        return x.reshape(x.shape[0], -1, *x.shape[3:])[:, : self.length]


def chunk_frame(
    length: int,
    retention: Tensor,
    doc_index: Tensor | None,
    chunk: int,
    dtype: torch.dtype,
    count_real: Tensor | None = None,
) -> ChunkFrame:
    """Frame of a call over ``length`` tokens.

    Args:
        length: T.
        retention: ``[H]`` fp64, in (0, 1].
        doc_index: ``[B, T]`` document index of each token or None.
        chunk: tokens per chunk C.
        dtype: of the constants.
        count_real: ``[B]`` real tokens of each row, before its padding; None = all.
    """
    size = min(chunk, length)
    count = -(-length // size)
    device = retention.device
    log2r = torch.log2(retention)[:, None, None]  # [H, 1, 1]
    step = torch.arange(size, dtype=torch.float64, device=device)
    lag = step[:, None] - step[None, :]
    inner = torch.exp2(lag.clamp(min=0) * log2r) * (lag >= 0)
    carried = torch.exp2((step[:, None] + 1) * log2r)
    # the last chunk may be short: its end is its last real token
    filled = torch.full((count, 1, 1, 1), size, dtype=torch.float64, device=device)
    filled[-1] = length - (count - 1) * size
    if count_real is not None:  # nothing fades in padding: [B, N, 1, 1, 1]
        start = torch.arange(count, device=device) * size
        filled = (count_real[:, None] - start).clamp(0, size).double()[..., None, None, None]
    kept = torch.exp2((filled - 1 - step[:, None]).clamp(min=0) * log2r)
    through = torch.exp2(filled * log2r)
    parts = [x.to(dtype) for x in (inner, inner.tril(-1), carried, kept, through)]
    if doc_index is None:
        return ChunkFrame(length, size, *parts)
    index, entering = (x[:, :, None] for x in chunk_documents(doc_index, size))
    last, entering = index[..., -1:], entering[..., None]
    same = index[..., :, None] == index[..., None, :]
    masks = (
        same,
        same,
        (index == entering)[..., None],
        (index == last)[..., None],
        (last == entering)[..., None],
    )
    return ChunkFrame(length, size, *(p * m for p, m in zip(parts, masks, strict=True)))


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
    q, k, v, beta = (frame.split(x) for x in (q, k, v, beta[..., None]))
    layers = 1
    if below is not None:
        layers += below.keys.shape[-2] // frame.size
        known = ((k @ below.keys.mT) * frame.inner.tile(layers - 1)) @ below.updates
        v = v - known - (k * frame.carried) @ below.start
    lower = ((k * beta) @ k.mT) * frame.strict
    rhs = torch.cat([v, k * frame.carried], dim=-1) * beta
    solved = torch.linalg.solve_triangular(lower, rhs, upper=False, unitriangular=True)
    fresh, pull = solved.split([v.shape[-1], k.shape[-1]], dim=-1)
    start, state = _chunk_states(k * frame.kept, fresh, pull, frame, state)
    update = fresh - pull @ start
    if below is None:
        written = Written(k, update, start)
    else:
        written = Written(
            torch.cat([below.keys, k], dim=-2),
            torch.cat([below.updates, update], dim=-2),
            below.start + start,
        )
    scores = (q @ written.keys.mT) * frame.inner.tile(layers)
    out = scores @ written.updates + (q * frame.carried) @ written.start
    return frame.join(out), state, written


def _chunk_states(
    kept: Tensor, fresh: Tensor, pull: Tensor, frame: ChunkFrame, state: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Own state at every chunk start ``[B, N, H, S, M]`` and after the call.

    The only sequential part: one product of ``[S, S]`` with ``[S, M]`` per chunk and head.
    """
    gain = kept.mT @ fresh
    if state is None:
        state = torch.zeros_like(gain[:, 0])
    elif gain.shape[1] == 1:
        through = frame.through.expand(gain.shape[0], 1, -1, 1, 1)[:, 0]
        return state[:, None], through * state + gain[:, 0] - kept.mT[:, 0] @ (pull[:, 0] @ state)
    mix = kept.mT @ pull
    through = frame.through.expand(gain.shape[0], gain.shape[1], -1, 1, 1)
    starts = []
    for n in range(gain.shape[1]):
        starts.append(state)
        state = through[:, n] * state + gain[:, n] - mix[:, n] @ state
    return torch.stack(starts, dim=1), state


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
