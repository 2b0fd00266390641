"""Packed documents as a document index per token.

A row may hold several documents one after another, marked by ``segment_ids``. An operation that
looks back must know which earlier tokens belong to a token's document, and whether the state
carried in from the call before does. One integer per token answers both: the document index, 0 for
the document that the carried state belongs to, one more at every change of segment id. ``None``
stands for one document that continues the carried one.
"""

from __future__ import annotations

import torch
from torch import Tensor


def document_index(segment_ids: Tensor | None, last_segment: Tensor | None) -> Tensor | None:
    """Number the documents of each row.

    Args:
        segment_ids: ``[B, T]`` integers, or None for one document per row that continues the
            carried one. A change of id starts a new document, also when an id comes back.
            Negative ids mark padding.
        last_segment: ``[B]`` id of the last token of the call before; None at the start.

    Returns:
        ``[B, T]`` int64, 0 = continues the carried document; None if ``segment_ids`` is None.
    """
    if segment_ids is None:
        return None
    first = segment_ids[:, :1] if last_segment is None else last_segment[:, None]
    before = torch.cat([first, segment_ids[:, :-1]], dim=1)
    return (segment_ids != before).long().cumsum(dim=1)


def previous_index(doc_index: Tensor) -> Tensor:
    """``[B, T]`` document index of the token before; 0, the carried document, at the first."""
    return torch.cat([torch.zeros_like(doc_index[:, :1]), doc_index[:, :-1]], dim=1)


def shift_right(x: Tensor, carry: Tensor | None, doc_index: Tensor | None) -> Tensor:
    """Features of the token before, zero where a document starts.

    Args:
        x: ``[.., B, T, D]``.
        carry: ``[.., B, D]`` features of the last token of the call before; None = zeros.
        doc_index: ``[B, T]`` document index of each token or None.

    Returns:
        ``[.., B, T, D]`` with row t = ``x[t - 1]``.
    """
    first = torch.zeros_like(x[..., :1, :]) if carry is None else carry[..., None, :]
    # one token has nothing but the carry before it
    before = first if x.shape[-2] == 1 else torch.cat([first, x[..., :-1, :]], dim=-2)
    if doc_index is None:
        return before
    return before.masked_fill((doc_index != previous_index(doc_index))[..., None], 0.0)


def chunk_documents(doc_index: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Document indices by chunk of C = ``size`` tokens; the fill at the end repeats the last.

    Args:
        doc_index: ``[B, T]`` document index of each token.
        size: tokens per chunk C.

    Returns:
        The indices ``[B, N, C]``, and ``[B, N]`` the document of the state that enters each chunk.
    """
    pad = -doc_index.shape[1] % size
    if pad:
        doc_index = torch.cat([doc_index, doc_index[:, -1:].expand(-1, pad)], dim=1)
    chunks = doc_index.unflatten(1, (-1, size))
    return chunks, previous_index(chunks[..., -1])
