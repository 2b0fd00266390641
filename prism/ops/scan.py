"""Multi-rate decay scan: K leaky integrators with fixed half-lives, in linear time.

    h_k(t) = a_k h_k(t-1) + s_k z_k(t),    a_k = 2^(-1 / half_life_k),    s_k = sqrt(1 - a_k^2)

``s_k`` gives every rate the same output variance for white input. Because the rates are fixed,
a chunk of C tokens is one constant lower-triangular matrix per rate, ``L_k[i, j] = s_k a_k^(i-j)``,
and the states at the chunk borders obey the same recurrence with the rate ``a_k^C``: the scan
calls itself on them. No power is ever negative, so nothing overflows at any half-life or length.
(Chunkwise linear recurrences: RetNet, arXiv 2307.08621; SSD, arXiv 2405.21060.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from prism.ops.decay import cut
from prism.ops.documents import chunk_documents

BORDERS = 64  # chunk borders per chunk of the second level and those above


@dataclass
class ScanFrame:
    """Constants of one level of the scan over one call, the same for all layers.

    Attributes:
        size: tokens per chunk C.
        count: chunks N.
        lower: ``[K, C, C]`` or, with documents, ``[B, N, K, C, C]``: weight of input j in state i.
            Of one token: s, ``[K, 1]``.
        seen: ``[1 or B, 1 or N, C, K, 1]`` share of the state at its chunk's start that each token
            keeps. Of one token: a, ``[K, 1]`` or ``[B, K, 1]``.
        borders: of the states at the chunk borders; None with a single chunk.
    """

    size: int
    count: int
    lower: Tensor
    seen: Tensor
    borders: ScanFrame | None = None


def scan_frame(
    length: int,
    half_lives: tuple[float, ...],
    doc_index: Tensor | None,
    chunk: int,
    like: Tensor,
    stride: int = 1,
) -> ScanFrame:
    """Frame of a call over ``length`` tokens.

    Args:
        length: T.
        half_lives: K half-lives in tokens.
        doc_index: ``[B, T]`` document index of each token or None; only document 0 sees the carry.
        chunk: tokens per chunk.
        like: gives device and dtype of the constants.
        stride: tokens that pass per step: 1, and C at the borders of chunks, C^2 a level higher.
            Only the input of the first level is scaled by s.
    """
    if length == 1 and stride == 1:
        return _one_token(half_lives, doc_index, like)
    size, count = cut(length, max(chunk, 2))  # chunks of one would never shorten the sequence
    step = torch.arange(size, dtype=torch.float64, device=like.device)
    lag = step[:, None] - step[None, :]
    lives = torch.tensor(half_lives, dtype=torch.float64, device=like.device) / stride
    lower = torch.exp2(-lag.clamp(min=0) / lives[:, None, None]).tril()
    if stride == 1:
        lower = lower * input_scale(lives)[:, None, None]
    seen = torch.exp2(-(step[:, None] + 1) / lives).to(like.dtype)[..., None]  # [C, K, 1]
    lower = lower.to(like.dtype)
    ends = None
    if doc_index is None:
        seen = seen[None, None]
    else:
        index, entering = chunk_documents(doc_index, size)
        same = index[..., :, None] == index[..., None, :]  # [B, N, C, C]
        lower = lower * same[:, :, None]
        seen = seen * (index == entering[..., None])[..., None, None]
        ends = index[:, :-1, -1]
    borders = None
    if count > 1:
        steps = stride * size
        borders = scan_frame(count - 1, half_lives, ends, max(chunk, BORDERS), like, steps)
    return ScanFrame(size, count, lower, seen, borders)


def _one_token(half_lives: tuple[float, ...], doc_index: Tensor | None, like: Tensor) -> ScanFrame:
    kept, scale = zip(*(_rate(life) for life in half_lives), strict=True)
    constants = torch.tensor((kept, scale), dtype=like.dtype, device=like.device)[..., None]
    kept, scale = constants.unbind()
    if doc_index is not None:
        kept = kept * (doc_index == 0)[..., None]
    return ScanFrame(1, 1, scale, kept)


def _rate(half_life: float) -> tuple[float, float]:
    """Retention a and input scale s."""
    return 2.0 ** (-1.0 / half_life), math.sqrt(-math.expm1(-2.0 * math.log(2.0) / half_life))


def decay_scan(
    z: Tensor,
    half_lives: tuple[float, ...],
    carry: Tensor | None = None,
    doc_index: Tensor | None = None,
    chunk: int = 64,
) -> Tensor:
    """Run the integrators over time.

    Args:
        z: ``[B, T, K, G]`` input, G channels per rate.
        half_lives: K half-lives in tokens.
        carry: ``[B, K, G]`` state after the token before, or None for zero.
        doc_index: ``[B, T]`` document index of each token or None; only document 0 sees ``carry``.
        chunk: tokens per chunk.

    Returns:
        ``[B, T, K, G]`` states; the state to carry on is the last one.
    """
    return framed_scan(z, scan_frame(z.shape[1], half_lives, doc_index, chunk, z), carry)


def framed_scan(z: Tensor, frame: ScanFrame, carry: Tensor | None) -> Tensor:
    """:func:`decay_scan` with the constants of the call worked out before."""
    if frame.seen.dim() < 5:  # one token: a step of the recurrence
        h = z[:, 0] * frame.lower
        return (h if carry is None else torch.addcmul(h, frame.seen, carry))[:, None]
    batch, length, num_rates, width = z.shape
    size, count = frame.size, frame.count
    pad = count * size - length
    if pad:
        z = torch.nn.functional.pad(z, (0, 0, 0, 0, 0, pad))
    blocks = z.reshape(batch, count, size, num_rates, width)
    weights = "kij" if frame.lower.dim() == 3 else "bnkij"
    inner = torch.einsum(f"{weights},bnjkg->bnikg", frame.lower, blocks)
    if frame.borders is None:
        carries = None if carry is None else carry[:, None]
    else:
        after = framed_scan(inner[:, :-1, -1], frame.borders, carry)
        first = torch.zeros_like(after[:, :1]) if carry is None else carry[:, None]
        carries = torch.cat([first, after], dim=1)
    if carries is not None:
        inner = torch.addcmul(inner, carries[:, :, None], frame.seen)
    return inner.flatten(1, 2)[:, :length]


def decay_scan_loop(
    z: Tensor,
    half_lives: tuple[float, ...],
    carry: Tensor | None = None,
    doc_index: Tensor | None = None,
) -> Tensor:
    """The plain reference of :func:`decay_scan`, one token at a time."""
    retention, scale = (x.to(z)[:, None] for x in rates(half_lives))
    h = torch.zeros_like(z[:, 0]) if carry is None else carry
    before = torch.zeros_like(z[:, 0, 0, 0], dtype=torch.long)
    states = []
    for t in range(z.shape[1]):
        if doc_index is not None:
            h = torch.where((doc_index[:, t] == before)[:, None, None], h, 0.0)
            before = doc_index[:, t]
        h = retention * h + scale * z[:, t]
        states.append(h)
    return torch.stack(states, dim=1)


def rates(half_lives: tuple[float, ...]) -> tuple[Tensor, Tensor]:
    """Retention a and input scale s of each half-life, both ``[K]`` in fp64."""
    lives = torch.tensor(half_lives, dtype=torch.float64)
    return torch.exp2(-1.0 / lives), input_scale(lives)


def input_scale(lives: Tensor) -> Tensor:
    """Input scale s of half-lives in fp64."""
    # expm1 keeps 1 - a^2 exact where a rounds to 1
    return torch.sqrt(-torch.expm1(-2.0 * math.log(2.0) / lives))
