"""The Transformer baseline: rotary attention as it is trained today, with an exact cache.

Per head, ``softmax(gain * q k^T / sqrt(d)) v`` with q and k RMS-normalised *before* the rotation
(RoPE, Su et al. 2021, base 10,000; QK-norm, Henry et al. 2020). At unit gain the normalised logits
could hardly exceed sqrt(d), too flat to pick one token out of many; the learned gain of each head
starts at 2. No biases. In the strong arm q, k and v first pass a causal convolution of width 4 that
starts as the identity.

The state is the cache of keys and values and grows with the context. Which document every cached
token belongs to, and how far into its document a row is, are kept once for all layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from prism.baselines.arms import PLAIN, Arm
from prism.baselines.stack import CausalConv, ResidualStack, divisor_near
from prism.config import PrismConfig
from prism.model.norm import RMSNorm, promote
from prism.model.state import Leaf, State
from prism.ops.documents import Rows, last_real, previous_index

ROPE_BASE = 10_000.0
INITIAL_GAIN = 2.0


@dataclass
class CacheIndex(State):
    """Positions and documents of the cached tokens.

    Attributes:
        length: cached tokens S per row.
        next_position: ``[B]`` int64 position in its document that the next token would have.
        documents: ``[B, S]`` document number of each cached token, -1 for padding; None = all of
            one document.
    """

    length: int
    next_position: Tensor
    documents: Tensor | None


@dataclass
class AttentionView:
    """Rotation and mask of one call, for the attention of every layer.

    Attributes:
        cos: ``[B or 1, 1, T, d / 2]`` cosine of the rotation angles.
        sin: the same of the sine.
        mask: ``[B or 1, 1, T, S]`` True where a token may attend; None = no mask but ``causal``.
        causal: queries and keys are the same tokens, all of one document.
        rows: tokens of the call, for what looks back a few of them.
    """

    cos: Tensor
    sin: Tensor
    mask: Tensor | None
    causal: bool
    rows: Rows


@dataclass
class KeyValueCache(State):
    """Rotated keys and values of one layer, each ``[B, H, S, d]``."""

    keys: Tensor
    values: Tensor


@dataclass
class ConvolvedCache(State):
    """Cache of a layer whose q, k and v are convolved.

    Attributes:
        cache: rotated keys and values.
        conv: ``[B, 3, 3 D]`` last inputs of the convolution.
    """

    cache: KeyValueCache
    conv: Tensor


class Attention(nn.Module):
    """Causal multi-head attention with QK-norm and RoPE.

    Heads are 32 wide up to ``d_model`` 128 and 64 beyond (or the nearest even divisor).

    Args:
        config: sizes.
        conv: convolve q, k and v over the last four tokens.
    """

    def __init__(self, config: PrismConfig, conv: bool = False) -> None:
        super().__init__()
        width = config.d_model
        self.head_dim = divisor_near(width, 32 if width <= 128 else 64, even=True)
        self.qkv_proj = nn.Linear(width, 3 * width, bias=False)
        self.q_norm = RMSNorm(self.head_dim)
        self.k_norm = RMSNorm(self.head_dim)
        self.gain = nn.Parameter(torch.full((width // self.head_dim,), INITIAL_GAIN))
        self.out_proj = nn.Linear(width, width, bias=False)
        cached = Leaf((width // self.head_dim, None, self.head_dim), "narrow")
        self.like: State = KeyValueCache(cached, cached)
        self.conv = CausalConv(3 * width, width=4, bias=False) if conv else None
        if self.conv is not None:
            with torch.no_grad():
                self.conv.weight.zero_()[-1] = 1.0
            self.like = ConvolvedCache(self.like, Leaf((3, 3 * width), "narrow"))

    def forward(
        self, x: Tensor, state: KeyValueCache | ConvolvedCache | None, view: AttentionView
    ) -> tuple[Tensor, KeyValueCache | ConvolvedCache]:
        """``x [B, T, D]`` to ``[B, T, D]`` and the cache with these T tokens added."""
        qkv = self.qkv_proj(x)
        if self.conv is None:
            return self._attend(qkv, state, view)
        rows, cache, last = view.rows, None, None
        if state is not None:
            cache, last = state.cache, state.conv
        qkv, last = self.conv(qkv, last, rows.doc_index, rows.ends)
        y, cache = self._attend(qkv, cache, view)
        return y, ConvolvedCache(cache, last)

    def _attend(
        self, qkv: Tensor, cache: KeyValueCache | None, view: AttentionView
    ) -> tuple[Tensor, KeyValueCache]:
        q, k, v = (
            rearrange(z, "b t (h d) -> b h t d", d=self.head_dim) for z in qkv.chunk(3, dim=-1)
        )
        q = rotate(self.q_norm(q) * self.gain[:, None, None], view).to(v.dtype)
        k = rotate(self.k_norm(k), view).to(v.dtype)
        if cache is not None:
            k = torch.cat([cache.keys, k], dim=2)
            v = torch.cat([cache.values, v], dim=2)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=view.mask, is_causal=view.causal)
        return self.out_proj(rearrange(y, "b h t d -> b t (h d)")), KeyValueCache(k, v)


class Transformer(ResidualStack):
    """Residual stack with rotary attention.

    Args:
        config: sizes and seed; ``d_model`` must be even.
        hidden: width of every SwiGLU.
        kind: name in a file.
        arm: parametrisation.
    """

    def __init__(
        self, config: PrismConfig, hidden: int, kind: str = "transformer", arm: Arm = PLAIN
    ) -> None:
        super().__init__(config, hidden, partial(Attention, conv=arm.conv), kind, arm)

    shared_like = CacheIndex(0, Leaf((), "index"), Leaf((None,), "index", optional=True))

    def remade(self) -> Transformer:
        return Transformer(self.config, self.hidden, self.kind, self.arm)

    def view(self, rows: Rows, shared: CacheIndex | None) -> tuple[AttentionView, CacheIndex]:
        """Rotation and mask of this call, and the index of the cache after it."""
        tokens = rows.tokens
        batch, length = tokens.shape
        if shared is None:
            shared = CacheIndex(0, tokens.new_zeros(batch), None)
        position = document_position(shared.next_position, length, rows.doc_index)
        documents = _cached_documents(shared, batch, length, rows)
        after = last_real(position + 1, shared.next_position, rows.ends)
        index = CacheIndex(shared.length + length, after, documents)
        cos, sin = rotation(position, self.blocks[0].mixer.head_dim)
        # branches, as a comparison of lengths is no bool while it is traced
        if shared.length == 0 and documents is None:
            return AttentionView(cos, sin, None, True, rows), index
        mask = _mask(documents, length, index.length, tokens.device)
        return AttentionView(cos, sin, mask, False, rows), index


def document_position(before: Tensor, length: int, doc_index: Tensor | None) -> Tensor:
    """Position of each token in its document, ``[B, T]``.

    Args:
        before: ``[B]`` int64 position of the first token if it continues the carried document.
        length: tokens T of this call.
        doc_index: ``[B, T]`` document indices (0 = the carried document); None = one document.
    """
    time = torch.arange(length, device=before.device)
    if doc_index is None:
        return before[:, None] + time
    start = torch.where(doc_index != previous_index(doc_index), time, 0).cummax(dim=1).values
    return time - start + before[:, None] * (doc_index == 0)


def rotation(position: Tensor, head_dim: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine of ``position * base^(-2 i / d)``, each ``[B, 1, T, d / 2]``, at least fp32.

    The angles are taken in fp64: in fp32 they would be wrong by 1e-3 at position 16,384.
    """
    power = torch.arange(0, head_dim, 2, device=position.device, dtype=torch.float64) / head_dim
    angle = (position.double()[..., None] * ROPE_BASE**-power)[:, None]
    return angle.cos(), angle.sin()


def rotate(x: Tensor, view: AttentionView) -> Tensor:
    """Turn channel i of ``x [B, H, T, d]`` against channel i + d/2; at least fp32."""
    x = promote(x)
    cos, sin = view.cos.to(x.dtype), view.sin.to(x.dtype)
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


def _cached_documents(index: CacheIndex, batch: int, length: int, rows: Rows) -> Tensor | None:
    """``[B, S + T]`` document indices with the new tokens', or None while there is only one."""
    doc_index = rows.doc_index
    if doc_index is None and index.documents is None:
        return None
    like = index.next_position
    cached = like.new_zeros(batch, index.length) if index.documents is None else index.documents
    new = like.new_zeros(batch, length) if doc_index is None else doc_index
    current = like.new_zeros(batch, 1)
    if index.length:  # the last real token's: numbers only grow, and padding has -1
        current = cached.amax(dim=1, keepdim=True).clamp(min=0)
    new = current + new
    if rows.valid is not None:
        new = new.masked_fill(~rows.valid, -1)
    return torch.cat([cached, new], dim=1)


def _mask(documents: Tensor | None, length: int, total: int, device: torch.device) -> Tensor | None:
    """Mask of the ``total`` cached tokens that each of the newest ``length`` may attend to."""
    if length == 1 and documents is None:
        return None
    order = torch.ones(length, total, dtype=torch.bool, device=device).tril(total - length)
    if documents is None:
        return order[None, None]
    same = documents[:, -length:, None] == documents[:, None, :]
    # padding attends to padding, itself at least: an empty row of a softmax would be NaN
    return (order & same)[:, None]
