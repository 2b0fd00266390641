"""Packed documents as a document index per token.

A row may hold several documents one after another, marked by ``segment_ids``. An operation that
looks back must know which earlier tokens belong to a token's document, and whether the state
carried in from the call before does. One integer per token answers both: the document index, 0 for
the document that the carried state belongs to, one more at every change of segment id. ``None``
stands for one document that continues the carried one.

Padding (negative ids) is no document: it leaves a row's state as it was, wherever it stands.
:func:`padding_last` moves it behind the real tokens of its row, so that no recurrence meets it on
its way, and what goes on is the state after the last real token (:func:`last_real`).
"""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass
class RowEnds:
    """Ends of the real tokens of each row.

    Attributes:
        count: ``[B]`` int64 number of real tokens.
        last: ``[B]`` int64 place of the last of them (of the first token, where there is none)
            among the ``B T`` tokens, row after row.
    """

    count: Tensor
    last: Tensor


@dataclass
class Rows:
    """Tokens of one call as recurrences read them: padding behind the real tokens of each row.

    Attributes:
        tokens: ``[B, T]`` ids.
        doc_index: ``[B, T]`` document index, padding that of the last real token; None = one
            document that continues the carried one.
        valid: ``[B, T]`` False at padding; None = no padding.
        ends: where the real tokens end; None = no padding.
        segment: ``[B]`` segment id of the last real token so far, negative where none has one;
            None as long as none was ever given.
        padding: ``[B, T]`` True at padding in the order of the call; None = no padding.
        place: ``[B T]`` where each token of the call, row after row, is now; None = where it was.
    """

    tokens: Tensor
    doc_index: Tensor | None
    valid: Tensor | None
    ends: RowEnds | None
    segment: Tensor | None
    padding: Tensor | None
    place: Tensor | None

    def restore(self, x: Tensor) -> Tensor:
        """``x [B, T, ...]`` of these tokens in the order of the call."""
        if self.place is None:
            return x
        return x.flatten(0, 1).index_select(0, self.place).view(x.shape)

    def restore_real(self, x: Tensor) -> Tensor:
        """``x [B, T, ...]`` of these tokens in the order of the call, zeros at padding."""
        if self.padding is None:
            return x
        padding = self.padding.view(*self.padding.shape, *[1] * (x.dim() - 2))
        return self.restore(x).masked_fill(padding, 0.0)


def padding_last(tokens: Tensor, segment_ids: Tensor | None, last_segment: Tensor | None) -> Rows:
    """The tokens of a call with the padding of each row behind its real tokens.

    Args:
        tokens: ``[B, T]``, T >= 1.
        segment_ids: ``[B, T]`` integers, negative = padding; None = no padding, one document.
        last_segment: :attr:`Rows.segment` of the call before; None at the start.
    """
    if segment_ids is None:
        return Rows(tokens, None, None, None, last_segment, None, None)
    batch, length = tokens.shape
    padding = segment_ids < 0
    real = ~padding
    first = torch.arange(batch, device=tokens.device) * length  # place of each row's first token
    count, place = real.sum(dim=1), None
    if length > 1:
        time = torch.arange(length, device=tokens.device)
        before = real.cumsum(dim=1)  # real tokens up to each, itself included
        moved = torch.where(real, before - 1, count[:, None] + time - before)
        order = torch.zeros_like(moved).scatter(1, moved, time.expand_as(moved))
        tokens, segment_ids = tokens.gather(1, order), segment_ids.gather(1, order)
        real, place = time < count[:, None], (first[:, None] + moved).flatten()
    end = (count - 1).clamp(min=0)
    none_yet = segment_ids.new_full((batch,), -1) if last_segment is None else last_segment
    segment = segment_ids.gather(1, end[:, None])[:, 0]
    segment = torch.where(count > 0, segment, none_yet.to(segment.dtype))
    filled = torch.where(real, segment_ids, segment[:, None])
    # tokens without an id, of calls before, are of the first document that has one
    named = filled[:, 0] if last_segment is None else last_segment
    doc_index = document_index(filled, torch.where(named < 0, filled[:, 0], named))
    return Rows(tokens, doc_index, real, RowEnds(count, first + end), segment, padding, place)


def last_real(x: Tensor, carry: Tensor | None, ends: RowEnds | None) -> Tensor:
    """Value after the last real token of each row.

    Args:
        x: ``[B, T, ...]``.
        carry: ``[B, ...]`` value before the call, which stays where no token is real; None = 0.
        ends: where the real tokens end; None = at T.

    Returns:
        ``[B, ...]``.
    """
    if ends is None:
        return x[:, -1]
    found = x.flatten(0, 1).index_select(0, ends.last)
    before = torch.zeros_like(found) if carry is None else carry
    return torch.where((ends.count > 0).view(-1, *[1] * (found.dim() - 1)), found, before)


def last_window(line: Tensor, length: int, ends: RowEnds | None) -> Tensor:
    """The W values up to the last real token of each row.

    Args:
        line: ``[B, W + T, ...]``, the W values before the call and those of its tokens.
        length: T.
        ends: where the real tokens end; None = at T.

    Returns:
        ``[B, W, ...]``.
    """
    if ends is None:
        return line.narrow(1, length, line.shape[1] - length)
    batch, total = line.shape[:2]
    offset = torch.arange(total - length, device=line.device)
    start = ends.count + torch.arange(batch, device=line.device) * total
    index = (start[:, None] + offset).flatten()
    return line.flatten(0, 1).index_select(0, index).view(batch, -1, *line.shape[2:])


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
