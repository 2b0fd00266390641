"""Multi-rate decay scan: K leaky integrators with fixed half-lives, in linear time.

    h_k(t) = a_k h_k(t-1) + s_k z_k(t),    a_k = 2^(-1 / half_life_k),    s_k = sqrt(1 - a_k^2)

``s_k`` gives every rate the same output variance for white input. Because the rates are fixed,
a chunk of C tokens is one constant lower-triangular matrix per rate, ``L_k[i, j] = s_k a_k^(i-j)``,
and the states at the chunk borders obey the same recurrence with the rate ``a_k^C``: the function
calls itself on them. No power is ever negative, so nothing overflows at any half-life or length.
(Chunkwise linear recurrences: RetNet, arXiv 2307.08621; SSD, arXiv 2405.21060.)
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from prism.ops.documents import chunk_documents


def decay_scan(
    z: Tensor,
    half_lives: tuple[float, ...],
    carry: Tensor | None = None,
    doc_index: Tensor | None = None,
    chunk: int = 64,
    stride: int = 1,
    scaled: bool = True,
) -> Tensor:
    """Run the integrators over time.

    Args:
        z: ``[B, T, K, G]`` input, G channels per rate.
        half_lives: K half-lives in tokens.
        carry: ``[B, K, G]`` state after the token before, or None for zero.
        doc_index: ``[B, T]`` document index of each token or None; only document 0 sees ``carry``.
        chunk: tokens per chunk.
        stride: tokens that pass per step, 1 but for the states at chunk borders.
        scaled: multiply the input by ``s_k``; the states at chunk borders have it already.

    Returns:
        ``[B, T, K, G]`` states; the state to carry on is the last one.
    """
    batch, length, num_rates, width = z.shape
    size = min(max(chunk, 2), length)  # chunks of one would never shorten the sequence
    count = -(-length // size)
    pad = count * size - length
    lower, fade = _tables(half_lives, stride, scaled, size, z.device, z.dtype)
    blocks = torch.nn.functional.pad(z, (0, 0, 0, 0, 0, pad)).view(
        batch, count, size, num_rates, width
    )
    if doc_index is None:
        inner = torch.einsum("kij,bnjkg->bnikg", lower, blocks)
        ends = None
        seen = fade.T[None, None]  # [1, 1, C, K]: how much of the carry each token keeps
    else:
        index, entering = chunk_documents(doc_index, size)
        same = index[..., :, None] == index[..., None, :]  # [B, N, C, C]
        inner = torch.einsum("bnkij,bnjkg->bnikg", lower * same[:, :, None], blocks)
        ends = index[..., -1]
        seen = fade.T * (index == entering[..., None])[..., None]
    if count == 1:
        carries = None if carry is None else carry[:, None]
    else:
        ends = None if ends is None else ends[:, :-1]
        steps = stride * size
        carries = decay_scan(inner[:, :-1, -1], half_lives, carry, ends, chunk, steps, False)
        first = torch.zeros_like(carries[:, :1]) if carry is None else carry[:, None]
        carries = torch.cat([first, carries], dim=1)
    if carries is not None:
        inner = torch.addcmul(inner, seen[..., None], carries[:, :, None])
    return inner.reshape(batch, count * size, num_rates, width)[:, :length]


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
    # expm1 keeps 1 - a^2 exact where a rounds to 1
    return torch.exp2(-1.0 / lives), torch.sqrt(-torch.expm1(-2.0 * math.log(2.0) / lives))


@lru_cache(maxsize=64)
def _tables(
    half_lives: tuple[float, ...],
    stride: int,
    scaled: bool,
    size: int,
    device: torch.device,
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor]:
    """Constant matrices of one chunk: L ``[K, C, C]`` and the carry's powers ``[K, C]``.

    ``stride`` tokens pass per step (C on the second level, C^2 on the third, ...).
    """
    # cached: whoever asks first must not leave meta or inference tensors to the others
    with torch.inference_mode(False), torch.device("cpu"):
        step = torch.arange(size, dtype=torch.float64)
        lag = step[:, None] - step[None, :]
        lives = torch.tensor(half_lives, dtype=torch.float64)[:, None, None] / stride
        lower = torch.exp2(-lag.clamp(min=0) / lives) * (lag >= 0)
        if scaled:
            lower = lower * rates(half_lives)[1][:, None, None]
        fade = torch.exp2(-(step + 1) / lives[:, 0])
        return lower.to(device=device, dtype=dtype), fade.to(device=device, dtype=dtype)
