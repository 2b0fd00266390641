"""A ring buffer read by a learned filter: the tape's position heads.

A position head's keys are pure phases, ``k(t) = [cos w_f t, sin w_f t] / sqrt(n)`` at the n = S/2
uniform frequencies ``w_f = pi (f + 1/2) / n``. Keys at lags 1 .. S-1 are exactly orthogonal and
the key at lag S is the same slot again (``k(t - S) = -k(t)``). A fast-weight state with such keys
that overwrites the slot it writes is therefore a ring buffer of the last S tokens, and a query that
turns with the position, ``q(t) = rot_t(p(t))``, reads it with weights that depend on the lag alone:

    o(t) = sum_{lag < S} taps(t)[lag] c(t - lag),     taps(t) = Phi p(t),     c = beta v

That is what is computed here: a causal filter of S taps chosen per token. No position appears,
so none can drift. The plain reference writes and reads that state itself, phases and all.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from prism.ops.decay import cut
from prism.ops.documents import RowEnds, last_window


def phases(num_slots: int) -> Tensor:
    """``Phi [S, S]`` (fp64): taps by lag = phase coordinates (cos, then sin) @ Phi."""
    n = num_slots // 2
    # a constant, whatever the caller is building
    with torch.inference_mode(False), torch.device("cpu"):
        w = math.pi * (torch.arange(n, dtype=torch.float64) + 0.5) / n
        angle = w[:, None] * torch.arange(num_slots, dtype=torch.float64)
        return torch.cat([angle.cos(), -angle.sin()]) / n


def offset_query(num_slots: int, offset: int) -> Tensor:
    """Phase coordinates ``[S]`` (fp64) whose taps are 1 at lag ``offset`` and 0 elsewhere."""
    return torch.linalg.inv(phases(num_slots))[offset]


def ring_read(
    taps: Tensor,
    contents: Tensor,
    carry: Tensor | None = None,
    doc_index: Tensor | None = None,
    ends: RowEnds | None = None,
) -> tuple[Tensor, Tensor]:
    """Filter the last S contents of each head.

    Args:
        taps: ``[B, T, H, S]`` weight of each lag, 0 = the token itself.
        contents: ``[B, T, H, M]`` what each token puts into its slot.
        carry: ``[B, S - 1, H, M]`` contents before the call, oldest first; None = empty.
        doc_index: ``[B, T]`` document index of each token or None; only document 0 sees ``carry``.
        ends: where the real tokens of each row end, before its padding; None = at T.

    Returns:
        Reads ``[B, T, H, M]`` and the contents to carry on ``[B, S - 1, H, M]``.
    """
    batch, length, heads, slots = taps.shape
    if carry is None:
        carry = contents.new_zeros(batch, slots - 1, heads, contents.shape[-1])
    if length == 1:
        return _one_token(taps, contents, carry, doc_index, ends)
    line = torch.cat([carry, contents], dim=1)  # [B, S - 1 + T, H, M]
    size, count = cut(length, slots, 2 * slots)
    pad = count * size - length
    window = size + slots - 1
    taps = torch.nn.functional.pad(taps, (0, 0, 0, 0, 0, pad)) if pad else taps
    taps = taps.view(batch, count, size, heads, slots).transpose(2, 3)
    band = _skew(taps.flip(-1), window)  # [B, N, H, C, C + S - 1]
    if doc_index is not None:
        documents = torch.nn.functional.pad(doc_index, (slots - 1, 0))  # carried contents: 0
        filled = documents
        if pad:
            filled = torch.cat([documents, documents[:, -1:].expand(-1, pad)], dim=1)
        reader = filled[:, slots - 1 :].unflatten(1, (-1, size))
        same = reader[..., None] == filled.unfold(1, window, size)[:, :, None]  # as the slot's
        band = band * same[:, :, None]
    padded = torch.nn.functional.pad(line, (0, 0, 0, 0, 0, pad)) if pad else line
    if count == 1:
        pieces = padded[:, None]
    else:  # windows of two chunks less one: [B, N, 2 S - 1, H, M]
        head = torch.nn.functional.pad(padded, (0, 0, 0, 0, 1, 0))
        head = head.view(batch, count + 1, size, heads, -1)
        pieces = torch.cat([head[:, :-1, 1:], head[:, 1:]], dim=2)
    out = (band @ pieces.transpose(2, 3)).transpose(2, 3)
    out = out.reshape(batch, count * size, heads, -1)[:, :length]
    kept = last_window(line, length, ends)
    if doc_index is not None:
        same = last_window(documents, length, ends) == doc_index[:, -1:]
        kept = kept * same[..., None, None]
    return out, kept


def _one_token(
    taps: Tensor,
    contents: Tensor,
    carry: Tensor,
    doc_index: Tensor | None,
    ends: RowEnds | None,
) -> tuple[Tensor, Tensor]:
    """:func:`ring_read` of one token."""
    if doc_index is not None:
        carry = carry * (doc_index == 0)[..., None, None]
    line = torch.cat([carry, contents], dim=1)  # [B, S, H, M]
    out = taps.flip(-1).transpose(1, 2) @ line.transpose(1, 2)
    return out.transpose(1, 2), last_window(line, 1, ends)


def _skew(rows: Tensor, window: int) -> Tensor:
    """Shift row i right by i: ``[.., C, S]`` to the band matrix ``[.., C, window]``."""
    *batch, size, slots = rows.shape
    flat = torch.nn.functional.pad(rows, (0, window + 1 - slots)).flatten(-2)
    return flat.narrow(-1, 0, size * window).reshape(*batch, size, window)


def ring_read_loop(
    queries: Tensor,
    contents: Tensor,
    doc_index: Tensor | None = None,
) -> Tensor:
    """The plain reference: a fast-weight state with phase keys, written and read token by token.

    Args:
        queries: ``[B, T, H, S]`` phase coordinates p (``taps = queries @ phases(S)``).
        contents: ``[B, T, H, M]``.
        doc_index: ``[B, T]`` document index of each token or None.

    Returns:
        Reads ``[B, T, H, M]``.
    """
    batch, length, heads, slots = queries.shape
    n = slots // 2
    w = math.pi * (torch.arange(n, dtype=torch.float64) + 0.5) / n
    state = contents.new_zeros(batch, heads, slots, contents.shape[-1])
    reads = []
    for t in range(length):
        if doc_index is not None:
            before = doc_index[:, t - 1] if t else torch.zeros_like(doc_index[:, 0])
            same = (doc_index[:, t] == before)[:, None, None, None]
            state = torch.where(same, state, 0.0)
        cos, sin = (
            (w * (t % (2 * slots))).cos().to(queries),
            (w * (t % (2 * slots))).sin().to(queries),
        )
        key = torch.cat([cos, sin]) / math.sqrt(n)
        known = torch.einsum("s,bhsm->bhm", key, state)
        state = state + torch.einsum("s,bhm->bhsm", key, contents[:, t] - known)
        p, q = queries[:, t, :, :n], queries[:, t, :, n:]
        turned = torch.cat([p * cos - q * sin, p * sin + q * cos], dim=-1) / math.sqrt(n)
        reads.append(torch.einsum("bhs,bhsm->bhm", turned, state))
    return torch.stack(reads, dim=1)
