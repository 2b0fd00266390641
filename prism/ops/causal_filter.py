"""Depthwise filter over the last W tokens of a document.

    y(t) = sum_{j < W} w_j * x(t - j)                                  w in R^{W x C}

Every channel mixes its own last W values; what belongs to another document counts as zero. W - 1
rows are all that a call hands to the next.
"""

from __future__ import annotations

import torch
from torch import Tensor

from prism.ops.documents import RowEnds, last_window


def causal_filter(
    x: Tensor,
    weight: Tensor,
    before: Tensor | None = None,
    doc_index: Tensor | None = None,
    ends: RowEnds | None = None,
) -> tuple[Tensor, Tensor]:
    """Filter ``x``, continuing ``before``.

    Args:
        x: ``[B, T, C]``.
        weight: ``[W, C]``, W >= 2; row j weighs the value j tokens ago.
        before: ``[B, W - 1, C]`` the values before the call, oldest first, zero where they belong
            to another document; None = zeros.
        doc_index: ``[B, T]`` document indices (0 = the carried document); None = one document.
        ends: where the real tokens of each row end; None = at T.

    Returns:
        y ``[B, T, C]`` and the values for the next call, ``[B, W - 1, C]``.
    """
    length, reach = x.shape[1], len(weight) - 1
    if before is None:
        before = x.new_zeros(len(x), reach, x.shape[2])
    line = torch.cat([before, x], dim=1)
    rest = last_window(line, length, ends)
    y = x * weight[0]
    if doc_index is None:
        for j in range(1, reach + 1):
            y = torch.addcmul(y, line[:, reach - j : reach - j + length], weight[j])
        return y, rest
    of = torch.cat([doc_index.new_zeros(len(x), reach), doc_index], dim=1)
    for j in range(1, reach + 1):
        window = slice(reach - j, reach - j + length)
        foreign = (of[:, window] != doc_index)[..., None]
        y = torch.addcmul(y, line[:, window].masked_fill(foreign, 0.0), weight[j])
    foreign = last_window(of, length, ends) != doc_index[:, -1:]
    return y, rest.masked_fill(foreign[..., None], 0.0)


def causal_filter_loop(
    x: Tensor,
    weight: Tensor,
    before: Tensor | None = None,
    doc_index: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The plain reference of :func:`causal_filter` without padding, one token at a time."""
    reach = len(weight) - 1
    held = x.new_zeros(len(x), reach, x.shape[2]) if before is None else before
    of = torch.zeros(len(x), dtype=torch.long, device=x.device)
    y = []
    for t in range(x.shape[1]):
        if doc_index is not None:
            held = torch.where((doc_index[:, t] == of)[:, None, None], held, 0.0)
            of = doc_index[:, t]
        seen = torch.cat([held, x[:, t, None]], dim=1)
        y.append((seen * weight.flip(0)).sum(dim=1))
        held = seen[:, 1:]
    return torch.stack(y, dim=1), held
