"""Multi-rate scan whose time runs faster or slower by the token: leaky integrators with a reset.

    h_k(t) = a_k(t) h_k(t-1) + sqrt(1 - a_k(t)^2) z_k(t)          a_k(t) = 2^(-r_k(t) / half_life_k)

``r`` is how much time passes at a token: 1 leaves the half-life as it is, a large one forgets. The
input scale keeps the variance of a white input whatever r is (RG-LRU, arXiv 2402.19427). Inside a
chunk of C tokens the factors between tokens are a lower-triangular matrix, exponentiated after
masking (:mod:`prism.ops.decay`); the states at the chunk borders obey the same recurrence with the
product of a chunk's factors, and the scan calls itself on them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from prism.ops.decay import continues, cut, inner_decay, no_autocast, to_chunks
from prism.ops.documents import chunk_documents

BORDERS = 64  # chunk borders per chunk of the second level and those above


def log_retention(half_lives: Tensor, passing: Tensor) -> Tensor:
    """``log a [B, T, K]`` in nats, of ``half_lives [K]`` and the time ``passing [B, T, K]``."""
    return passing * (-math.log(2.0) / half_lives)


def input_scale(log_a: Tensor) -> Tensor:
    """``sqrt(1 - a^2)`` of ``log a``, exact where a rounds to 1."""
    return torch.sqrt(-torch.expm1(2.0 * log_a))


def gated_scan(
    z: Tensor,
    log_a: Tensor,
    carry: Tensor | None = None,
    doc_index: Tensor | None = None,
    chunk: int = 32,
) -> Tensor:
    """Run the integrators over time.

    Args:
        z: ``[B, T, K, G]`` input, G channels per rate.
        log_a: ``[B, T, K]`` log retentions in nats, < 0.
        carry: ``[B, K, G]`` state after the token before, or None for zero.
        doc_index: ``[B, T]`` document index of each token or None; only document 0 sees ``carry``.
        chunk: most tokens per chunk; changes speed, not results.

    Returns:
        ``[B, T, K, G]`` states; the state to carry on is the last one.
    """
    with no_autocast(z):  # the state is at least fp32
        return _scan(z * input_scale(log_a)[..., None], log_a, carry, doc_index, max(chunk, 2))


def _scan(
    z: Tensor, log_a: Tensor, carry: Tensor | None, doc_index: Tensor | None, chunk: int
) -> Tensor:
    """The recurrence on inputs that are scaled already."""
    length = z.shape[1]
    if length == 1:  # a step of the recurrence
        if carry is None:
            return z
        kept = log_a.exp() * continues(doc_index, z)[..., None]
        return torch.addcmul(z, kept[..., None], carry[:, None])
    size, count = cut(length, chunk)
    within, from_start = inner_decay(log_a, doc_index, size)
    inner = within @ to_chunks(z, size).transpose(2, 3)  # [B, n, K, C, G]
    carries = None if carry is None else carry[:, None]
    if count > 1:
        whole = to_chunks(log_a, size).sum(dim=2)[:, :-1]
        ends = None if doc_index is None else chunk_documents(doc_index, size)[0][:, :-1, -1]
        after = _scan(inner[:, :-1, :, -1], whole, carry, ends, max(chunk, BORDERS))
        first = torch.zeros_like(after[:, :1]) if carry is None else carry[:, None]
        carries = torch.cat([first, after], dim=1)
    if carries is not None:
        inner = torch.addcmul(inner, from_start[..., None], carries[..., None, :])
    return inner.transpose(2, 3).flatten(1, 2)[:, :length]


def gated_scan_loop(
    z: Tensor,
    log_a: Tensor,
    carry: Tensor | None = None,
    doc_index: Tensor | None = None,
) -> Tensor:
    """The plain reference of :func:`gated_scan`, one token at a time."""
    kept = log_a.exp() * continues(doc_index, z)[..., None]
    z = z * input_scale(log_a)[..., None]
    h = torch.zeros_like(z[:, 0]) if carry is None else carry
    states = []
    for t in range(z.shape[1]):
        h = kept[:, t, :, None] * h + z[:, t]
        states.append(h)
    return torch.stack(states, dim=1)
