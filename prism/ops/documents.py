"""Which tokens may see which: packed documents as run numbers.

A row may hold several documents one after another, marked by ``segment_ids``. Every operation
that looks back needs to know two things about a token: which tokens before it belong to the same
document, and whether the state carried in from the call before is still its own. One integer per
token answers both: the *run* number, 0 for the document that the carried state belongs to, one
more at every change of segment id. ``None`` stands for "one document, which goes on".
"""

from __future__ import annotations

import torch
from torch import Tensor


def document_runs(segment_ids: Tensor | None, last_segment: Tensor | None) -> Tensor | None:
    """Number the documents of each row.

    Args:
        segment_ids: ``[B, T]`` integers, or None for one document per row that continues the
            carried one. A change of id starts a new document, also when an id comes back.
            Negative ids mark padding.
        last_segment: ``[B]`` id of the last token of the call before; None at the start.

    Returns:
        ``[B, T]`` int64 run numbers, 0 = continues the carried document; None if
        ``segment_ids`` is None.
    """
    if segment_ids is None:
        return None
    first = segment_ids[:, :1] if last_segment is None else last_segment[:, None]
    before = torch.cat([first, segment_ids[:, :-1]], dim=1)
    return (segment_ids != before).long().cumsum(dim=1)


def shift_right(x: Tensor, carry: Tensor | None, runs: Tensor | None) -> Tensor:
    """The features of the token before, zero where a document starts.

    Args:
        x: ``[B, T, D]``.
        carry: ``[B, D]`` features of the last token of the call before; None = zeros.
        runs: ``[B, T]`` run numbers of ``document_runs`` or None.

    Returns:
        ``[B, T, D]`` with row t = ``x[t - 1]``.
    """
    first = torch.zeros_like(x[:, :1]) if carry is None else carry[:, None]
    before = torch.cat([first, x[:, :-1]], dim=1)
    if runs is None:
        return before
    previous = torch.cat([torch.zeros_like(runs[:, :1]), runs[:, :-1]], dim=1)
    return before.masked_fill((runs != previous)[..., None], 0.0)
