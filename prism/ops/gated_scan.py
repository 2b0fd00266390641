"""Multi-rate scan whose time runs faster or slower by the token: leaky integrators with a reset.

    h_k(t) = a_k(t) h_k(t-1) + sqrt(1 - a_k(t)^2) z_k(t)          a_k(t) = 2^(-r_k(t) / half_life_k)

``r`` is how much time passes at a token: 1 leaves the half-life as it is, a large one forgets. The
input scale keeps the variance of a white input whatever r is (RG-LRU, arXiv 2402.19427). Inside a
chunk of C tokens the factors between tokens are a lower-triangular matrix, exponentiated after
masking (:mod:`prism.ops.decay`); the states at the chunk borders obey the same recurrence with the
product of a chunk's factors, and the scan calls itself on them. A batch of rows on a CPU goes token
by token, which costs it less than the matrices. Backwards the adjoint obeys the recurrence from the
right, with the factors of the way there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from prism.ops.decay import continues, cut, inner_decay, no_autocast, steps_pay, to_chunks
from prism.ops.documents import chunk_documents

BORDERS = 64  # chunk borders per chunk of the second level and those above


def log_retention(half_lives: Tensor, passing: Tensor) -> Tensor:
    """``log a [.., K]`` in nats, of ``half_lives [K]`` and the time ``passing [.., K]``."""
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
    if z.shape[1] == 1:  # a step of the recurrence
        if carry is None:
            return z
        return torch.addcmul(z, _kept(log_a, doc_index)[..., None], carry[:, None])
    factors = []
    if not steps_pay(z):
        with torch.no_grad():
            factors = _factors(log_a, doc_index, chunk)
    return _Scan.apply(z, log_a, carry, doc_index, chunk, *factors)


class _Scan(torch.autograd.Function):
    """The recurrence with the adjoint recurrence as its gradient,

        g(t) = dL/dh(t) + a(t+1) g(t+1)       dL/dz(t) = g(t)       dL/dlog a(t) = a(t) g(t) h(t-1)

    summed over channels, where a is 0 between documents. Autograd would go back through the
    matrices between the tokens of a chunk. ``factors`` are those of :func:`_factors`; none = token
    by token."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        z: Tensor,
        log_a: Tensor,
        carry: Tensor | None,
        doc_index: Tensor | None,
        chunk: int,
        *factors: Tensor,
    ) -> Tensor:
        return _run(z, carry, factors) if factors else _step(z, _kept(log_a, doc_index), carry)

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: Tensor) -> None:
        _, log_a, carry, doc_index, ctx.chunk, *factors = inputs
        ctx.save_for_backward(output, log_a, carry, doc_index, *factors)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        h, log_a, carry, doc_index, *factors = ctx.saved_tensors
        kept = _kept(log_a, doc_index)
        if torch.is_grad_enabled():  # to be differentiated again
            g = _adjoint_scan(grad, log_a, doc_index, ctx.chunk)
        elif factors:
            g = _adjoint(grad, factors)
        else:
            g = _step(grad.flip(1), _after(kept), None).flip(1)
        first = torch.zeros_like(h[:, :1]) if carry is None else carry[:, None]
        to_log_a = kept * (g * torch.cat([first, h[:, :-1]], dim=1)).sum(dim=-1)
        to_carry = None if carry is None else kept[:, 0, :, None] * g[:, 0]
        return g, to_log_a, to_carry, None, None, *[None] * len(factors)


def _kept(log_a: Tensor, doc_index: Tensor | None) -> Tensor:
    """a ``[B, T, K]``, 0 between documents."""
    kept = log_a.exp()
    return kept if doc_index is None else kept * continues(doc_index, kept)[..., None]


def _after(x: Tensor) -> Tensor:
    """``x [B, T, K]`` of the token behind each, from right to left; 0 behind the last."""
    return torch.cat([torch.zeros_like(x[:, :1]), x.flip(1)[:, :-1]], dim=1)


def _step(z: Tensor, kept: Tensor, carry: Tensor | None) -> Tensor:
    """States of scaled inputs, token by token."""
    rates = z.shape[2:]
    wide = kept[..., None].expand_as(z).flatten(2)
    h, states = None if carry is None else carry.flatten(1), []
    for each, a in zip(z.flatten(2).unbind(1), wide.unbind(1), strict=True):
        h = each if h is None else torch.addcmul(each, a, h)
        states.append(h)
    return torch.stack(states, dim=1).unflatten(2, rates)


def _factors(log_a: Tensor, doc_index: Tensor | None, chunk: int) -> list[Tensor]:
    """``within [B, n, K, C, C]`` and ``from_start [B, n, K, C]`` of the chunks, then of the chunk
    borders, and so on up to the level that has one chunk."""
    size, count = cut(log_a.shape[1], chunk)
    within, from_start, whole = inner_decay(log_a, doc_index, size)
    if count == 1:
        return [within, from_start]
    ends = None if doc_index is None else chunk_documents(doc_index, size)[0][:, :-1, -1]
    return [within, from_start, *_factors(whole[:, :-1], ends, max(chunk, BORDERS))]


def _run(z: Tensor, carry: Tensor | None, factors: Sequence[Tensor]) -> Tensor:
    """States ``[B, T, K, G]`` of scaled inputs."""
    within, from_start, *borders = factors
    inner = within @ to_chunks(z, within.shape[-1]).transpose(2, 3)  # [B, n, K, C, G]
    carries = None if carry is None else carry[:, None]
    if borders:
        after = _run(inner[:, :-1, :, -1], carry, borders)
        first = torch.zeros_like(after[:, :1]) if carry is None else carry[:, None]
        carries = torch.cat([first, after], dim=1)
    if carries is not None:
        inner = torch.addcmul(inner, from_start[..., None], carries[..., None, :])
    return inner.transpose(2, 3).flatten(1, 2)[:, : z.shape[1]]


def _adjoint(grad: Tensor, factors: Sequence[Tensor]) -> Tensor:
    """``g`` of ``dL/dh``, both ``[B, T, K, G]``: :func:`_run` from right to left, with what the
    chunks hand to those before them in place of what they get from them."""
    within, from_start, *borders = factors
    mine = to_chunks(grad, within.shape[-1]).transpose(2, 3)  # [B, n, K, C, G]
    g = within.mT @ mine
    if borders:
        entering = (from_start[:, 1:, :, None] @ mine[:, 1:])[..., 0, :]  # [B, n - 1, K, G]
        after = _adjoint(entering, borders)  # of the state that leaves each chunk but the last
        after = torch.cat([after, torch.zeros_like(after[:, :1])], dim=1)
        g = torch.addcmul(g, within[..., -1, :, None], after[..., None, :])
    return g.transpose(2, 3).flatten(1, 2)[:, : grad.shape[1]]


def _adjoint_scan(grad: Tensor, log_a: Tensor, doc_index: Tensor | None, chunk: int) -> Tensor:
    """:func:`_adjoint` by the scan itself over the reversed row, so that it has a gradient."""
    after = _after(log_a)
    ids = None if doc_index is None else doc_index.flip(1)
    return _scan(grad.flip(1), after, None, ids, chunk).flip(1)


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
