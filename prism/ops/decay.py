"""Chunks that a sequence is cut into, and decay factors between their tokens, for one scalar decay
per head and token.

With the running sum ``G_i = g_1 + ... + g_i`` of the log decays (all <= 0) inside a chunk, what
token j left in the state is worth ``exp(G_i - G_j)`` at a later token i. The sum starts anew in
every chunk and the difference is masked *before* it is exponentiated, so no exponent is ever
positive and no rate, however fast, overflows. Where documents are packed, everything that would
cross a document boundary is exactly zero; the log decays themselves stay finite, since a reset
written as ``g = -inf`` would give ``inf - inf``.

Longer chunks are fewer operations and more multiplications. On a CPU the multiplications cost, on
a GPU the launches do. An exported program is made for every length at once, so it cannot have a
number of chunks: it reads a call as one, at a cost that is quadratic in the length.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from prism.ops.documents import chunk_documents, previous_index

GPU_CHUNK = 128
STEPPED_ROWS = 4
EXPORTED = 20  # doublings of an exported program: 2^20 tokens in a call


@dataclass
class ChunkDecay:
    """Decay factors of n chunks of C tokens, all in [0, 1].

    Attributes:
        within: ``[B, n, H, C, C]`` from token j (last axis) to token i >= j; 0 for i < j.
        from_start: ``[B, n, H, C]`` from the state that enters the chunk to token i.
        to_end: ``[B, n, H, C]`` from token j to the state that leaves the chunk.
        across: ``[B, n, H]`` from the entering to the leaving state.
    """

    within: Tensor
    from_start: Tensor
    to_end: Tensor
    across: Tensor


def chunk_on(x: Tensor, chunk: int) -> int:
    """Tokens per chunk where ``x`` lies: ``chunk``, on a GPU at least ``GPU_CHUNK``."""
    return max(chunk, GPU_CHUNK) if x.device.type == "cuda" else chunk


def steps_pay(x: Tensor) -> bool:
    """True where one operation per token on all rows of ``x [B, ..]`` costs less than matrices
    between the tokens of a chunk: a CPU that has several rows."""
    compiling = torch.compiler.is_compiling()
    return not compiling and x.device.type == "cpu" and x.shape[0] >= STEPPED_ROWS


def cut(length: int, chunk: int, whole: int = 0) -> tuple[int, int]:
    """Tokens per chunk and number of chunks of a call over ``length`` tokens, which up to ``whole``
    of them are one chunk."""
    if torch.compiler.is_exporting() or length <= whole:
        return length, 1
    size = min(chunk, length)
    return size, -(-length // size)


def doublings(length: int) -> list[int]:
    """Reaches 1, 2, 4, ... below ``length``, which must be doubled to span a call."""
    count = EXPORTED if torch.compiler.is_exporting() else (length - 1).bit_length()
    return [2**i for i in range(count)]


def chunk_length(length: int, limit: int) -> int:
    """Tokens per chunk when ``length`` is cut into as few equal chunks of <= ``limit`` as go."""
    chunks = -(-length // limit)
    return -(-length // chunks)


def to_chunks(x: Tensor, size: int) -> Tensor:
    """``[B, T, ...]`` to ``[B, n, size, ...]``, filled up with zeros at the end."""
    missing = -x.shape[1] % size
    if missing:
        x = F.pad(x, (0, 0) * (x.dim() - 2) + (0, missing))
    return x.unflatten(1, (-1, size))


def chunk_decay(log_decay: Tensor, doc_index: Tensor | None, size: int) -> ChunkDecay:
    """The decay factors of a sequence cut into chunks.

    Args:
        log_decay: ``[B, T, H]`` log decays g <= 0 in nats, finite.
        doc_index: ``[B, T]`` document index of each token, or None.
        size: tokens per chunk C. The fill after the last token neither decays nor writes.
    """
    dtype = log_decay.dtype
    exact, within, from_start = _from_tokens(log_decay, doc_index, size)
    last = exact[..., -1:]
    to_end, across = (last - exact).to(dtype).exp(), last.squeeze(-1).to(dtype).exp()
    if doc_index is not None:
        index, entering = (x[:, :, None] for x in chunk_documents(doc_index, size))
        to_end = to_end * (index == index[..., -1:])
        across = across * (index[..., -1:] == entering[..., None]).squeeze(-1)
    return ChunkDecay(within, from_start, to_end, across)


def inner_decay(
    log_decay: Tensor, doc_index: Tensor | None, size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """``within`` and ``from_start`` of :func:`chunk_decay`, and the log decay of every chunk as a
    whole ``[B, n, H]``, documents aside."""
    exact, within, from_start = _from_tokens(log_decay, doc_index, size)
    return within, from_start, exact[..., -1].to(log_decay.dtype)


def _from_tokens(
    log_decay: Tensor, doc_index: Tensor | None, size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Sums of the log decays in fp64, ``[B, n, H, C]``, ``within`` and ``from_start``."""
    dtype = log_decay.dtype
    exact = to_chunks(log_decay, size).transpose(2, 3).cumsum(dim=3, dtype=torch.float64)
    rounded = exact.to(dtype)
    from_start = rounded.exp()
    hidden = torch.ones(size, size, dtype=torch.bool, device=exact.device).triu(1)
    if doc_index is not None:
        index, entering = (x[:, :, None] for x in chunk_documents(doc_index, size))
        hidden = hidden | (index[..., :, None] != index[..., None, :])
        from_start = from_start * (index == entering[..., None])
    within = _differences(exact, rounded).masked_fill_(hidden, -torch.inf).exp()
    return exact, within, from_start


def _differences(total: Tensor, high: Tensor) -> Tensor:
    """``total_i - total_j`` of fp64 sums ``[..., C]``, as ``[..., C, C]`` in the dtype of ``high``,
    to which the sums were rounded.

    After fast decays the sums are in the thousands and neighbours differ by little, so in fp32 the
    difference would lose digits. What rounding the sums loses is therefore subtracted apart.
    """
    dtype = high.dtype
    difference = high[..., :, None] - high[..., None, :]
    if dtype == torch.float64:
        return difference
    low = (total - high).to(dtype).detach()
    return difference + (low[..., :, None] - low[..., None, :])


def continues(doc_index: Tensor | None, like: Tensor) -> Tensor:
    """1 where a token goes on with the document of the token before, else 0.

    Args:
        doc_index: ``[B, T]`` document indices or None (one document).
        like: ``[B, T, ...]``; gives shape, dtype and device.

    Returns:
        ``[B, T]``.
    """
    if doc_index is None:
        return like.new_ones(like.shape[:2])
    return (doc_index == previous_index(doc_index)).to(like.dtype)


def no_autocast(x: Tensor) -> AbstractContextManager[None]:
    """Context in which operations on the device of ``x`` run in the dtypes of their inputs.

    The meta device has no automatic casting, and asking to switch it off there is an error.
    """
    device = x.device.type
    if not (torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)):
        return nullcontext()
    return torch.autocast(device, enabled=False)
