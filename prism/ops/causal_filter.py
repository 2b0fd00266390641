"""Depthwise filter over the last W tokens of a document.

    y(t) = sum_{j < W} w_j * x(t - j)                                  w in R^{W x C}

Every channel mixes its own last W values; what belongs to another document counts as zero. W - 1
rows are all that a call hands to the next.
"""

from __future__ import annotations

import torch
from torch import Tensor

from prism.ops.documents import RowEnds, last_window

IN_CACHE = 1 << 16  # numbers


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
    if length == 1 and doc_index is None:  # a step of decoding: nothing is shifted
        return (line * weight.flip(0)).sum(dim=1, keepdim=True), rest
    if doc_index is None:
        return _Filter.apply(line, weight, None), rest
    of = torch.cat([doc_index.new_zeros(len(x), reach), doc_index], dim=1)
    lags = [of[:, reach - j : reach - j + length] == doc_index for j in range(1, reach + 1)]
    rest = rest * (last_window(of, length, ends) == doc_index[:, -1:])[..., None]
    return _Filter.apply(line, weight, torch.stack(lags)[..., None]), rest


class _Filter(torch.autograd.Function):
    """The filter of ``line [B, W - 1 + T, C]``, with its own backward pass: autograd's of a sum of
    shifted products takes twice as long and twice as many kernels. On a CPU it goes piece by piece,
    as every tap reads what the one before has read. ``same [W - 1, B, T, 1]`` is True where the
    value j + 1 tokens ago is of the token's document; None = everywhere."""

    generate_vmap_rule = True

    @staticmethod
    def forward(line: Tensor, weight: Tensor, same: Tensor | None) -> Tensor:
        windows = _windows(line, weight, same)
        y = windows[0] * weight[0]
        for j in range(1, len(weight)):
            y.addcmul_(windows[j], weight[j])
        return y

    @staticmethod
    def setup_context(ctx, inputs: tuple[Tensor, Tensor, Tensor | None], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        line, weight, same = ctx.saved_tensors
        to_line, to_weight = torch.zeros_like(line), []
        for rows, here in _pieces(grad):
            seen = slice(here.start, here.stop + len(weight) - 1)
            near = None if same is None else same[:, rows, here]
            into = to_line[rows, seen]
            to_weight.append(_gradients(line[rows, seen], weight, near, grad[rows, here], into))
        return to_line, sum(to_weight[1:], to_weight[0]), None


def _pieces(x: Tensor) -> list[tuple[slice, slice]]:
    """Rows and tokens of the pieces of ``x [B, T, C]`` that a cache holds; all of it on a GPU, and
    where it is to be differentiated again."""
    batch, length, channels = x.shape
    if x.device.type != "cpu" or torch.is_grad_enabled():
        return [(slice(0, batch), slice(0, length))]
    tokens = min(length, max(1, IN_CACHE // channels))
    rows = max(1, IN_CACHE // (tokens * channels))
    return [
        (slice(row, min(row + rows, batch)), slice(t, min(t + tokens, length)))
        for row in range(0, batch, rows)
        for t in range(0, length, tokens)
    ]


def _gradients(
    line: Tensor, weight: Tensor, same: Tensor | None, grad: Tensor, to_line: Tensor
) -> Tensor:
    """Gradient of ``weight``; that of ``line`` is added to ``to_line``."""
    reach, length = len(weight) - 1, grad.shape[1]
    to_weight = []
    for j, window in enumerate(_windows(line, weight, same)):
        mine = grad if same is None or j == 0 else grad * same[j - 1]
        to_line[:, reach - j : reach - j + length].addcmul_(mine, weight[j])
        to_weight.append((grad * window).sum(dim=(0, 1)))
    return torch.stack(to_weight)


def _windows(line: Tensor, weight: Tensor, same: Tensor | None) -> list[Tensor]:
    """Values 0 .. W - 1 tokens ago, ``[B, T, C]`` each, 0 where they are of another document."""
    reach = len(weight) - 1
    length = line.shape[1] - reach
    windows = [line[:, reach - j : reach - j + length] for j in range(reach + 1)]
    if same is None:
        return windows
    return [windows[0], *(w * s for w, s in zip(windows[1:], same, strict=True))]


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
