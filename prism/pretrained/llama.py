"""A Llama-style decoder in plain PyTorch, with a view of what it computes on the way.

    x = x + W_o attention(norm(x));   x = x + W_2( silu(W_1 norm(x)) * W_3 norm(x) )

Pre-norm with RMSNorm (arXiv 1910.07467), rotary positions on neighbouring pairs of channels
(RoFormer, arXiv 2104.09864, in the pairing of GGUF files), grouped queries (arXiv 2305.13245),
SwiGLU (arXiv 2002.05202), head tied to the embedding. It is called as the models of this project
are, ``model(tokens, state=None)``; :meth:`Llama.read` gives hidden states and attention as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from prism.model.norm import RMSNorm
from prism.model.protocol import PrismOutput

Head = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class LlamaConfig:
    """Sizes of a Llama-style model.

    Args:
        vocab_size: token ids V.
        d_model: width D.
        num_layers: blocks L.
        num_heads: query heads H; D divides by it.
        num_kv_heads: key and value heads; H divides by it.
        hidden: width of the SwiGLU.
        rope_base: base of the rotation frequencies.
        norm_eps: epsilon of the norms.
    """

    vocab_size: int
    d_model: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    hidden: int
    rope_base: float = 10_000.0
    norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        if self.d_model % (2 * self.num_heads):
            allowed = f"a multiple of 2 * num_heads = {2 * self.num_heads}"
            raise ValueError(f"LlamaConfig.d_model = {self.d_model}: must be {allowed}")
        if self.num_heads % self.num_kv_heads:
            allowed = f"a divisor of num_heads = {self.num_heads}"
            raise ValueError(f"LlamaConfig.num_kv_heads = {self.num_kv_heads}: must be {allowed}")


@dataclass
class LlamaState:
    """Keys and values of every block, each ``[B, num_kv_heads, S, d]``."""

    keys: list[Tensor]
    values: list[Tensor]

    @property
    def length(self) -> int:
        """Tokens S in the cache."""
        return self.keys[0].shape[2]


@dataclass
class Reading(PrismOutput):
    """A forward pass together with what was watched.

    Attributes:
        streams: ``[B, T, D]`` residual stream after block l, by l.
        attention: ``[B, T, S]`` attention weights over the S tokens read so far, by (block, head).
    """

    streams: dict[int, Tensor] = field(default_factory=dict, repr=False)
    attention: dict[Head, Tensor] = field(default_factory=dict, repr=False)


class Attention(nn.Module):
    """Causal grouped-query attention with rotary positions."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        width, self.head_dim = config.d_model, config.d_model // config.num_heads
        shared = config.num_kv_heads * self.head_dim
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, shared, bias=False)
        self.v_proj = nn.Linear(width, shared, bias=False)
        self.out_proj = nn.Linear(width, width, bias=False)
        self.group = config.num_heads // config.num_kv_heads

    def forward(
        self, x: Tensor, past: tuple[Tensor, Tensor] | None, turn: Tensor, watch: Sequence[int]
    ) -> tuple[Tensor, tuple[Tensor, Tensor], dict[int, Tensor]]:
        """``x [B, T, D]`` to ``[B, T, D]``, the cache with these tokens, and the weights
        ``[B, T, S]`` of the heads in ``watch``; ``turn [T, d / 2]`` holds the complex rotations."""
        q, k, v = (
            p(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)
            for p in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = rotate(q, turn), rotate(k, turn)
        if past is not None:
            k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)
        time, total = q.shape[2], k.shape[2]
        mask = None
        if time > 1 and (past is not None or watch):
            mask = torch.ones(time, total, dtype=torch.bool, device=x.device).tril(total - time)
        y = F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=None if past is None else mask,
            is_causal=past is None and time > 1,  # the same numbers, in 3/5 of the time of a mask
            enable_gqa=self.group > 1,
        )
        seen = {h: self._weights(q[:, h], k[:, h // self.group], mask) for h in watch}
        return self.out_proj(y.transpose(1, 2).flatten(2)), (k, v), seen

    def _weights(self, q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor:
        score = q @ k.transpose(1, 2) * self.head_dim**-0.5
        return (score if mask is None else score.masked_fill(~mask, -torch.inf)).softmax(dim=-1)


class Block(nn.Module):
    """Attention, then SwiGLU, each on a normed copy of the stream."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.d_model, config.norm_eps)
        self.mlp_norm = RMSNorm(config.d_model, config.norm_eps)
        self.attention = Attention(config)
        self.gate_proj = nn.Linear(config.d_model, config.hidden, bias=False)
        self.up_proj = nn.Linear(config.d_model, config.hidden, bias=False)
        self.down_proj = nn.Linear(config.hidden, config.d_model, bias=False)

    def forward(
        self, x: Tensor, past: tuple[Tensor, Tensor] | None, turn: Tensor, watch: Sequence[int]
    ) -> tuple[Tensor, tuple[Tensor, Tensor], dict[int, Tensor]]:
        """As :class:`Attention`, with the stream before and after."""
        y, cache, seen = self.attention(self.attention_norm(x), past, turn, watch)
        x = x + y
        z = self.mlp_norm(x)
        return x + self.down_proj(F.silu(self.gate_proj(z)) * self.up_proj(z)), cache, seen


class Llama(nn.Module):
    """The decoder; weights start random and are meant to be loaded."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.norm = RMSNorm(config.d_model, config.norm_eps)

    def forward(self, tokens: Tensor, state: LlamaState | None = None) -> Reading:
        """Read ``tokens [B, T]``, continuing ``state``; logits ``[B, T, V]``."""
        return self.read(tokens, state)

    def read(
        self,
        tokens: Tensor,
        state: LlamaState | None = None,
        layers: Sequence[int] = (),
        heads: Sequence[Head] = (),
    ) -> Reading:
        """The forward pass, with the stream after ``layers`` and the weights of ``heads``.

        Args:
            tokens: ``[B, T]`` int64 ids.
            state: ``output.state`` of the call before, or None at the start.
            layers: blocks whose output is wanted, in 0..L-1.
            heads: (block, head) pairs whose attention weights are wanted.
        """
        cache, streams, attention = LlamaState([], []), {}, {}
        x = self._run(tokens, state, layers, heads, cache, streams, attention, len(self.blocks))
        hidden = self.norm(x)
        logits = F.linear(hidden, self.embedding.weight)
        aux = x.new_zeros(())
        return Reading(logits, cache, aux, hidden=hidden, streams=streams, attention=attention)

    def watch(
        self, tokens: Tensor, layers: Sequence[int], heads: Sequence[Head] = ()
    ) -> tuple[dict[int, Tensor], dict[Head, Tensor]]:
        """Hidden states and attention as :meth:`read` gives them, from the start of the sequences;
        the blocks above the last watched one do not run, and there are no logits."""
        hidden, attention = {}, {}
        depth = 1 + max([*layers, *(block for block, _ in heads)])
        self._run(tokens, None, layers, heads, LlamaState([], []), hidden, attention, depth)
        return hidden, attention

    def _run(
        self,
        tokens: Tensor,
        state: LlamaState | None,
        layers: Sequence[int],
        heads: Sequence[Head],
        cache: LlamaState,
        hidden: dict[int, Tensor],
        attention: dict[Head, Tensor],
        depth: int,
    ) -> Tensor:
        """The stream after ``depth`` blocks; fills the three containers."""
        x = self.embedding(tokens)
        start = 0 if state is None else state.length
        turn = self._turn(start, tokens.shape[1], x.device)
        for i, block in enumerate(self.blocks[:depth]):
            past = None if state is None else (state.keys[i], state.values[i])
            x, (k, v), seen = block(x, past, turn, [h for layer, h in heads if layer == i])
            cache.keys.append(k)
            cache.values.append(v)
            attention.update({(i, h): w for h, w in seen.items()})
            if i in layers:
                hidden[i] = x
        return x

    def _turn(self, start: int, length: int, device: torch.device) -> Tensor:
        """``[T, d / 2]`` rotations ``exp(i position base^(-2 j / d))``; angles taken in fp64."""
        width = self.config.d_model // self.config.num_heads
        power = torch.arange(0, width, 2, device=device, dtype=torch.float64) / width
        position = torch.arange(start, start + length, device=device, dtype=torch.float64)
        angle = position[:, None] * self.config.rope_base**-power
        return torch.polar(torch.ones_like(angle), angle).to(torch.complex64)


def rotate(x: Tensor, turn: Tensor) -> Tensor:
    """Turn channel 2j of ``x [B, H, T, d]`` against channel 2j + 1."""
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * turn).flatten(-2).to(x.dtype)
