"""Residual stack of all baselines: pre-norm blocks, with or without SwiGLU, and a tied head.

``x = x + mixer(norm(x)); x = x + mlp(norm(x))`` per block, ``logits = tau E norm(x)`` with the
embedding E. A baseline is this stack with its own mixer, so two baselines of one arm differ in how
tokens are mixed and in the width that makes their sizes equal, and in nothing else. How weights
start, tau and the options of a block are those of :class:`prism.baselines.arms.Arm`.

``config.dropout`` is the share of a branch's output, and of the embedded tokens, that is set to
zero while training (Srivastava et al. 2014), drawn from torch's global generator.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from prism.baselines.arms import PLAIN, Arm, initialise, temper
from prism.config import PrismConfig
from prism.model.norm import RMSNorm, promote
from prism.model.protocol import LanguageModel, PrismOutput, own_state
from prism.model.state import Leaf, State
from prism.model.symbolic.suffix import SuffixLookup, SuffixState
from prism.ops.documents import RowEnds, Rows, last_real, last_window, shift_right
from prism.ops.seeded import seeded


@dataclass
class StackState(State):
    """Everything that a baseline needs to continue its sequences.

    Attributes:
        layers: one state per block, as its mixer defines it.
        segment: ``[B]`` segment id of the last real token, negative where there was none; None
            while no call had ``segment_ids``.
        shared: kept for the mixers between calls (see :meth:`ResidualStack.view`).
        lookup: of the suffix lookup; None without.
    """

    layers: tuple[Any, ...]
    segment: Tensor | None = None
    shared: Any = None
    lookup: SuffixState | None = None


@dataclass
class ShiftedState(State):
    """State of a block whose MLP reads the token before.

    Attributes:
        mixer: as the mixer defines it.
        last: ``[B, D]`` input of the MLP at the last real token.
    """

    mixer: Any
    last: Tensor


class SwiGLU(nn.Module):
    """``down(silu(gate(x)) * up(x))`` (Shazeer 2020), gate and up in one matrix.

    With ``shift``, up reads ``(1 - m) x(t) + m x(t-1)``, m per channel, spread over [0, 1] at the
    start (RWKV, arXiv 2305.13048).
    """

    def __init__(self, d_model: int, hidden: int, shift: bool = False) -> None:
        super().__init__()
        self.in_proj = nn.Linear(d_model, 2 * hidden, bias=False)
        self.out_proj = nn.Linear(hidden, d_model, bias=False)
        self.shift = nn.Parameter(torch.rand(d_model)) if shift else None

    def forward(self, x: Tensor, before: Tensor | None = None) -> Tensor:
        """``[B, T, D]`` to ``[B, T, D]``; ``before``: the token before each, with a shift."""
        if self.shift is None or before is None:
            gate, up = self.in_proj(x).chunk(2, dim=-1)
        else:
            to_gate, to_up = self.in_proj.weight.chunk(2)
            gate = F.linear(x, to_gate)
            up = F.linear(torch.lerp(x, before, self.shift.to(x.dtype)), to_up)
        return self.out_proj(F.silu(gate) * up)


class Block(nn.Module):
    """One mixer and, unless the arm leaves it out, one MLP, each behind its norm.

    Args:
        config: d_model and dropout are used.
        hidden: width of the MLP.
        mixer: with its last matrix as ``out_proj`` and the shapes of its state as ``like``.
        arm: parametrisation.
    """

    def __init__(self, config: PrismConfig, hidden: int, mixer: nn.Module, arm: Arm) -> None:
        super().__init__()
        self.mixer_norm = RMSNorm(config.d_model)
        self.mixer = mixer
        self.like = mixer.like
        self.mlp: SwiGLU | None = None
        if arm.mlp:
            self.mlp_norm = RMSNorm(config.d_model)
            self.mlp = SwiGLU(config.d_model, hidden, arm.shift)
            if arm.shift:
                self.like = ShiftedState(mixer.like, Leaf((config.d_model,), "narrow"))
        self.dropout = nn.Dropout(config.dropout)

    def branches(self) -> list[nn.Module]:
        """Addition to the residual stream."""
        return [self.mixer] if self.mlp is None else [self.mixer, self.mlp]

    def forward(self, x: Tensor, state: Any, view: Any, rows: Rows) -> tuple[Tensor, Any]:
        """``x [B, T, D]`` in the residual's dtype; the branches run in the weights' dtype."""
        dtype = self.mixer.out_proj.weight.dtype
        shifted = self.mlp is not None and self.mlp.shift is not None
        last = None
        if shifted and state is not None:
            state, last = state.mixer, state.last
        mixed, state = self.mixer(self.mixer_norm(x).to(dtype), state, view)
        x = x + self.dropout(mixed)
        if self.mlp is None:
            return x, state
        inner, before = self.mlp_norm(x).to(dtype), None
        if shifted:
            before = shift_right(inner, last, rows.doc_index)
            state = ShiftedState(state, last_real(inner, last, rows.ends))
        return x + self.dropout(self.mlp(inner, before)), state


class ResidualStack(LanguageModel):
    """A language model made of blocks whose mixers come from ``make_mixer``.

    A mixer is called as ``mixer(x, state, view) -> (y, state)`` and holds its last matrix, the one
    that writes to the residual stream, as ``out_proj``, and the shapes of its state as ``like``.

    Args:
        config: vocab_size, d_model, num_layers, chunk_size, tie_embeddings, dropout and seed are
            used.
        hidden: >= 1, the width that the size is matched by: of every SwiGLU, or, in an arm
            without, of a head of the mixer, which is its second argument.
        make_mixer: builds the mixer of one block.
        kind: name of the baseline in a file.
        arm: parametrisation.
    """

    def __init__(
        self,
        config: PrismConfig,
        hidden: int,
        make_mixer: Callable[..., nn.Module],
        kind: str,
        arm: Arm = PLAIN,
    ) -> None:
        super().__init__()
        if hidden < 1:
            raise ValueError(f"hidden = {hidden}: must be >= 1")
        self.config, self.hidden, self.make_mixer, self.kind = config, hidden, make_mixer, kind
        self.arm, self.temper = arm, temper(arm, config.d_model)
        sizes = (config,) if arm.mlp else (config, hidden)
        with seeded(config.seed):
            self.embedding = nn.Embedding(config.vocab_size, config.d_model)
            self.first_norm = RMSNorm(config.d_model) if arm.scaled_embedding else None
            self.blocks = nn.ModuleList(
                Block(config, hidden, make_mixer(*sizes), arm) for _ in range(config.num_layers)
            )
            self.norm = RMSNorm(config.d_model)
            self.lookup = None
            read = config.symbolic
            if arm.lookup and read.suffixes:  # that of the PRISM it is compared with
                self.lookup = SuffixLookup(config.d_model, read.suffixes, read.suffix_slots)
            self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)
            if config.tie_embeddings:
                self.head.weight = self.embedding.weight
            initialise(self, arm)
        self.dropout = nn.Dropout(config.dropout)
        self.to(torch.get_default_dtype())
        layers = tuple(block.like for block in self.blocks)
        found = None if self.lookup is None else self.lookup.like
        self.like = StackState(layers, Leaf((), "index", optional=True), self.shared_like, found)

    shared_like: State | None = None  # shapes of StackState.shared

    def remade(self) -> ResidualStack:
        return ResidualStack(self.config, self.hidden, self.make_mixer, self.kind, self.arm)

    def view(self, rows: Rows, shared: Any) -> tuple[Any, Any]:
        """Argument of every mixer of this call, and the part of it to keep for the next call.

        Args:
            rows: the tokens, their documents, and where padding begins.
            shared: kept by the call before; None at the start.
        """
        return rows, None

    def forward(
        self,
        tokens: Tensor,
        state: StackState | None = None,
        segment_ids: Tensor | None = None,
        routing: bool = False,
    ) -> PrismOutput:
        """See :class:`prism.model.protocol.LanguageModel`; there is no router to report on."""
        rows = self.begin(tokens, state, segment_ids)
        if state is None:
            state = StackState((None,) * len(self.blocks))
        view, shared = self.view(rows, state.shared)
        x, found = self._embedded(rows.tokens), None
        if self.lookup is not None:
            added, found = self.lookup(
                rows.tokens, self._embedded, state.lookup, rows.doc_index, rows.ends
            )
            x = x + added
        x = self.dropout(x)
        layers = []
        for block, carried in zip(self.blocks, state.layers, strict=True):
            x, carried = self.run_block(block, x, carried, view, rows)
            layers.append(carried)
        hidden = rows.restore_real(self.norm(x))
        hidden = hidden if self.temper == 1.0 else hidden * self.temper
        hidden = hidden.to(self.head.weight.dtype)
        logits = self.head(hidden)
        state = own_state(StackState(tuple(layers), rows.segment, shared, found))
        return PrismOutput(logits, state, logits.new_zeros(()), hidden=hidden)

    def _embedded(self, tokens: Tensor) -> Tensor:
        """Embeddings ``[.., D]``, normalised where the arm says so."""
        x = self.embed(tokens)
        return promote(x if self.first_norm is None else self.first_norm(x))


@dataclass
class RecurrentState(State):
    """State of one Mamba-2 or Gated DeltaNet layer.

    Attributes:
        conv: ``[B, 3, C]`` last inputs of the convolution.
        memory: state of the recurrence, ``[B, N, H, P]`` or ``[B, H, K, V]``.
    """

    conv: Tensor
    memory: Tensor


class CausalConv(nn.Module):
    """Depthwise convolution over the last ``width`` tokens of the same document.

    ``y_t = bias + sum_j w_j * x_{t - (W-1) + j}``, j = 0..W-1: every channel mixes its own last W
    tokens. Mamba-2 and Gated DeltaNet put one of width 4 before their recurrence; without it
    neither can compare neighbouring tokens, which costs both a large part of their recall.

    Args:
        channels: number of channels C.
        width: tokens W that one output sees, itself included.
        bias: add a learned constant per channel.
    """

    def __init__(self, channels: int, width: int = 4, bias: bool = True) -> None:
        super().__init__()
        bound = width**-0.5
        self.weight = nn.Parameter(torch.empty(width, channels).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(channels).uniform_(-bound, bound)) if bias else None

    def forward(
        self,
        x: Tensor,
        state: Tensor | None = None,
        doc_index: Tensor | None = None,
        ends: RowEnds | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Filter ``x``, continuing ``state``.

        Args:
            x: ``[B, T, C]``.
            state: ``[B, W - 1, C]`` the inputs before, zero where they belong to another
                document; None = zeros.
            doc_index: ``[B, T]`` document indices (0 = the carried document); None = one document.
            ends: where the real tokens of each row end, before its padding; None = at T.

        Returns:
            y ``[B, T, C]`` and the state for the next call.
        """
        length, reach = x.shape[1], len(self.weight) - 1
        if state is None:
            state = x.new_zeros(len(x), reach, x.shape[2])
        wide = torch.cat([state, x], dim=1)
        newest = self.weight[reach]
        y = x * newest if self.bias is None else torch.addcmul(self.bias, x, newest)
        rest = last_window(wide, length, ends)
        if doc_index is None:
            for j in range(reach):
                y = torch.addcmul(y, wide[:, j : j + length], self.weight[j])
            return y, rest
        of = torch.cat([doc_index.new_zeros(len(x), reach), doc_index], dim=1)
        for j in range(reach):
            foreign = (of[:, j : j + length] != doc_index)[..., None]
            y = torch.addcmul(y, wide[:, j : j + length].masked_fill(foreign, 0), self.weight[j])
        foreign = last_window(of, length, ends) != doc_index[:, -1:]
        return y, rest.masked_fill(foreign[..., None], 0)


def divisor_near(number: int, target: int, even: bool = False) -> int:
    """The divisor of ``number`` whose ratio to ``target`` is nearest 1, among the even ones or all.

    Raises:
        ValueError: an even divisor of an odd number.
    """
    step = 2 if even else 1
    if number % step:
        raise ValueError(f"d_model = {number}: must be even")
    choices = [d for d in range(step, number + 1, step) if number % d == 0]
    return min(choices, key=lambda d: (abs(math.log(d / target)), d))
