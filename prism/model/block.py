"""One block: the bus mixes tokens, then the router weighs the experts.

    o = norm(x);   x = x + bus(o)
    i = norm(x);   x = x + w_neural neural(i) + w_memory memory(i, tape) + w_symbolic c s,
                   w = router(i)

The neural expert filters its hidden units over the last tokens. ``s`` is the output of the one
symbolic machine of the model (:mod:`prism.model.symbolic`), c its gain by channel in this block.
With an anchor there is ``+ anchor(i)``, a neural expert that no gate weighs; with ``token_skip``
``+ l e``, the token's normalised embedding weighed by channel.

Recurrences and filters see every token (a state that skipped tokens would depend on the routing of
the past). Routing saves and gates the token-wise part: the output projections of the experts.

With independent gates the penalty of a token is the squared norm of what the experts add, relative
to that of the stream; with softmax gates it is the router's z-loss.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from prism.config import PrismConfig
from prism.model.bus import MultiRateBus
from prism.model.gain import ChannelGain
from prism.model.neural import NeuralExpert
from prism.model.norm import RMSNorm, as_type, promote
from prism.model.protocol import LayerRouting
from prism.model.router import Decision, Router, nothing_to_decide
from prism.model.state import Leaf, State
from prism.model.symbolic import SymbolicRun
from prism.model.tape import TapeFrame, TapeHeads, TapeState
from prism.ops.delta import Written
from prism.ops.dispatch import dispatch
from prism.ops.documents import RowEnds
from prism.ops.scan import ScanFrame

LEAST_SQUARE = 1e-12  # smallest mean square of the stream in a ratio


@dataclass
class BlockState(State):
    """State of one block: the bus ``[B, K, G]``, the units ``[B, W - 1, 2 H]`` of the last tokens
    that the filters of the neural expert and of the anchor need, and the block's part of the tape;
    None for what it lacks."""

    bus: Tensor
    neural: Tensor | None
    anchor: Tensor | None
    tape: TapeState | None


@dataclass
class Pass:
    """Values that the blocks of one call pass on and never change: normalised embeddings
    ``[B, T, D]``, the run of the symbolic machine, document indices, padding and where it begins,
    constants of the bus and the tape, and the tape written so far."""

    symbols: Tensor
    machine: SymbolicRun | None
    doc_index: Tensor | None
    valid: Tensor | None
    ends: RowEnds | None
    scan: ScanFrame | Tensor
    tape: TapeFrame | None
    written: Written | None = None


def output_norm_ratio(added: Tensor, x: Tensor) -> Tensor:
    """``|added|^2 / |x|^2`` of every token, ``[B, T]``, of ``[B, T, D]`` each. No gradient reaches
    ``x``: the ratio must not shrink by a growing stream."""
    stream = x.detach().square().mean(dim=-1).clamp(min=LEAST_SQUARE)
    return added.to(stream.dtype).square().mean(dim=-1) / stream


class Block(nn.Module):
    """Args: ``config``; ``layer`` index."""

    def __init__(self, config: PrismConfig, layer: int) -> None:
        super().__init__()
        dim = config.d_model
        self.kinds = config.kinds_at(layer)
        self.shared = config.tape.scope == "shared"
        self.bus_norm, self.expert_norm = RMSNorm(dim), RMSNorm(dim)
        self.bus = MultiRateBus(dim, config.bus_half_lives, config.chunk_size, config.bus_reset)
        self.skip = ChannelGain(dim, 0.0) if config.token_skip else None
        self.router = Router(config, self.kinds) if self.kinds else None
        self.dropout = config.dropout
        depth, taps = (2 * config.num_layers) ** 0.5, config.neural_taps
        self.anchor = None
        if config.anchor_hidden is not None:
            wide = config.anchor_hidden
            self.anchor = NeuralExpert(dim, wide, taps, wide**-0.5 / depth)
        if "neural" in self.kinds:
            self.neural = NeuralExpert(dim, config.hidden, taps, config.hidden**-0.5 / depth)
        if "memory" in self.kinds:
            self.memory = TapeHeads(dim, config.tape, config.chunk_size)
        if "symbolic" in self.kinds:
            self.symbolic = ChannelGain(dim, 1.0)

    @property
    def like(self) -> BlockState:
        """Shapes of the state."""
        dim, rates = self.bus_norm.weight.shape[0], len(self.bus.half_lives)
        return BlockState(
            Leaf((rates, dim // rates)),
            self.neural.like if "neural" in self.kinds else None,
            None if self.anchor is None else self.anchor.like,
            self.memory.like if "memory" in self.kinds else None,
        )

    def forward(
        self, x: Tensor, state: BlockState | None, shared: Pass, want_routing: bool
    ) -> tuple[Tensor, BlockState, Decision, LayerRouting | None, Pass]:
        """``x [B, T, D]`` to the same shape, and ``shared`` for the next block, with this block's
        writes. A function of its arguments: it may be run again (``torch.utils.checkpoint``)."""
        of, ends = shared.doc_index, shared.ends
        carried = BlockState(None, None, None, None) if state is None else state
        # the residual is at least fp32; what the matrices read has their type
        outer = as_type(self.bus_norm(x), self.bus.read.weight.dtype)
        mixed, bus, gates = self.bus(outer, carried.bus, shared.scan, of, ends)
        x = x + self._dropped(mixed)
        if self.skip is not None:
            x = x + self.skip(shared.symbols)
        inner = as_type(self.expert_norm(x), outer.dtype)
        if self.router is None:
            decision = nothing_to_decide(inner)
        else:
            decision = self.router(inner, shared.valid)
        after = BlockState(bus, None, None, None)
        write_gates = read = None
        features = {}
        if self.anchor is not None:
            units, after.anchor = self.anchor(inner, carried.anchor, of, ends)
            x = x + self._dropped(self.anchor.emit(units).to(x.dtype))
        if "neural" in self.kinds:
            features["neural"], after.neural = self.neural(inner, carried.neural, of, ends)
        if "memory" in self.kinds:
            read, after.tape, write_gates, shared = self._remember(inner, carried.tape, shared)
            features["memory"] = read
        if "symbolic" in self.kinds:
            features["symbolic"] = shared.machine.output
        if features:
            added = self._dropped(as_type(self._mix(features, decision), x.dtype))
            if self.router.independent:  # while exploring, an untrained expert costs nothing
                ratio = output_norm_ratio(added, x) * (1 - self.router.exploring)
                decision = dataclasses.replace(decision, penalty=ratio)
            x = x + added
        routing = None
        if want_routing:
            loads = None if read is None else read.square().mean(dim=-1).sqrt()
            primitive = shared.machine.picked if "symbolic" in self.kinds else None
            shown = (decision.probability, decision.ran, gates, primitive, write_gates, loads)
            routing = LayerRouting(self.kinds, *shown)
        return x, after, decision, routing, shared

    def _dropped(self, added: Tensor) -> Tensor:
        """``added``, a branch's share of the stream, with dropout while training."""
        if not (self.dropout and self.training):
            return added
        return nn.functional.dropout(added, self.dropout)

    def _remember(
        self, x: Tensor, state: TapeState | None, shared: Pass
    ) -> tuple[Tensor, TapeState, Tensor, Pass]:
        read, tape, written, write_gates = self.memory(
            x,
            state,
            shared.doc_index,
            shared.valid,
            shared.tape,
            shared.written,
            shared.ends,
        )
        if self.shared:
            shared = dataclasses.replace(shared, written=written)
        return read, tape, write_gates, shared

    def _mix(self, features: dict[str, Tensor], decision: Decision) -> Tensor:
        """Sum over experts of weight times output, each on the tokens that chose it."""
        total: Tensor | None = None
        weights = decision.weight.unbind(-1)
        for i, kind in enumerate(self.kinds):
            emit = getattr(self, kind).emit
            if decision.chosen is None:
                out, gate = promote(emit(features[kind])), weights[i][..., None]
                total = out * gate if total is None else torch.addcmul(total, out, gate)
                continue
            rows = features[kind].flatten(0, 1)
            out = dispatch(emit, rows, decision.chosen[..., i].flatten(), weights[i].flatten())
            out = out.view(*weights[i].shape, -1)
            total = out if total is None else total + out
        return total
