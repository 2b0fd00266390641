"""One block: the bus mixes tokens, then the router weighs the experts.

    o = norm(x);   x = x + bus(o)
    i = norm(x);   x = x + w_neural neural(i(t), i(t-1)) + w_memory memory(i, tape)
                         + w_symbolic symbolic(e),            w = router(i)

With an anchor there is ``+ anchor(i(t), i(t-1))``, a neural expert that no gate weighs.

The neural expert also reads the token before; the symbolic expert reads the token's normalised
embedding e in every block, so that its counts do not depend on context.

The recurrences of the memory and symbolic experts see every token (a state that skipped tokens
would depend on the routing of the past). Routing saves and gates the token-wise part: the whole
neural expert, and the output projections of the other two.

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
from prism.model.neural import NeuralExpert
from prism.model.norm import RMSNorm, promote
from prism.model.protocol import LayerRouting
from prism.model.router import Decision, Router, nothing_to_decide
from prism.model.state import Leaf, State
from prism.model.symbolic import SymbolicMachine, SymbolicRun, SymbolicState
from prism.model.tape import TapeFrame, TapeHeads, TapeState
from prism.ops.delta import Written
from prism.ops.dispatch import dispatch
from prism.ops.documents import RowEnds, last_real, shift_right
from prism.ops.scan import ScanFrame

LEAST_SQUARE = 1e-12  # smallest mean square of the stream in a ratio


@dataclass
class BlockState(State):
    """State of one block: the bus ``[B, K, G]``, the last token's features ``[B, D]`` for the token
    shift of the neural expert, and the states of the other experts; None for one it lacks."""

    bus: Tensor
    last: Tensor | None
    tape: TapeState | None
    symbolic: SymbolicState | None


@dataclass
class Pass:
    """Values that the blocks of one call pass on and never change: normalised embeddings
    ``[B, T, D]``, document indices, padding and where it begins, constants of the bus and the
    tape, and the tape written so far."""

    symbols: Tensor
    doc_index: Tensor | None
    valid: Tensor | None
    ends: RowEnds | None
    scan: ScanFrame
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
        self.bus = MultiRateBus(dim, config.bus_half_lives, config.chunk_size)
        self.router = Router(config, self.kinds) if self.kinds else None
        depth = (2 * config.num_layers) ** 0.5
        self.anchor = None
        if config.anchor_hidden is not None:
            wide = config.anchor_hidden
            self.anchor = NeuralExpert(dim, wide, wide**-0.5 / depth)
        if "neural" in self.kinds:
            self.neural = NeuralExpert(dim, config.hidden, config.hidden**-0.5 / depth)
        if "memory" in self.kinds:
            self.memory = TapeHeads(dim, config.tape, config.chunk_size)
        if "symbolic" in self.kinds:
            self.symbolic = SymbolicMachine(dim, config.symbolic)

    @property
    def like(self) -> BlockState:
        """Shapes of the state."""
        dim, rates = self.bus_norm.weight.shape[0], len(self.bus.half_lives)
        shifts = "neural" in self.kinds or self.anchor is not None
        return BlockState(
            Leaf((rates, dim // rates)),
            Leaf((dim,), "narrow") if shifts else None,
            self.memory.like if "memory" in self.kinds else None,
            self.symbolic.like if "symbolic" in self.kinds else None,
        )

    def forward(
        self,
        x: Tensor,
        state: BlockState | None,
        shared: Pass,
        want_routing: bool,
        machine: SymbolicRun | None = None,
    ) -> tuple[Tensor, BlockState, Decision, LayerRouting | None, Pass]:
        """``x [B, T, D]`` to the same shape, and ``shared`` for the next block, with this block's
        writes. A function of its arguments: it may be run again (``torch.utils.checkpoint``).
        ``machine``: the run of this block's symbolic machine on this call, or None to run it
        here."""
        # the residual is at least fp32; what the matrices read has their type
        outer = self.bus_norm(x).to(self.bus.read.weight.dtype)
        carried = None if state is None else state.bus
        mixed, bus, gates = self.bus(outer, carried, shared.scan, shared.ends)
        x = x + mixed
        inner = self.expert_norm(x).to(outer.dtype)
        if self.router is None:
            decision = nothing_to_decide(inner)
        else:
            decision = self.router(inner, shared.valid)
        last = tape = symbolic = write_gates = primitive = read = None
        features = {}
        if "neural" in self.kinds or self.anchor is not None:
            carried = None if state is None else state.last
            before = shift_right(inner, carried, shared.doc_index)
            last = last_real(inner, carried, shared.ends)
        if self.anchor is not None:
            x = x + self.anchor.emit(*self.anchor(inner, before)).to(x.dtype)
        if "neural" in self.kinds:
            features["neural"] = self.neural(inner, before)
        if "memory" in self.kinds:
            read, tape, write_gates, shared = self._remember(inner, state, shared)
            features["memory"] = (read,)
        if "symbolic" in self.kinds:
            if machine is None:
                before = None if state is None else state.symbolic
                symbols = shared.symbols.to(outer.dtype)
                machine = self.symbolic(symbols, before, shared.doc_index, shared.ends)
            found, symbolic, primitive = machine
            features["symbolic"] = (found,)
        if features:
            added = self._mix(features, decision).to(x.dtype)
            if self.router.independent:  # while exploring, an untrained expert costs nothing
                ratio = output_norm_ratio(added, x) * (1 - self.router.exploring)
                decision = dataclasses.replace(decision, penalty=ratio)
            x = x + added
        routing = None
        if want_routing:
            loads = None if read is None else read.square().mean(dim=-1).sqrt()
            shown = (decision.probability, decision.ran, gates, primitive, write_gates, loads)
            routing = LayerRouting(self.kinds, *shown)
        return x, BlockState(bus, last, tape, symbolic), decision, routing, shared

    def _remember(
        self, x: Tensor, state: BlockState | None, shared: Pass
    ) -> tuple[Tensor, TapeState, Tensor, Pass]:
        read, tape, written, write_gates = self.memory(
            x,
            None if state is None else state.tape,
            shared.doc_index,
            shared.valid,
            shared.tape,
            shared.written,
            shared.ends,
        )
        if self.shared:
            shared = dataclasses.replace(shared, written=written)
        return read, tape, write_gates, shared

    def _mix(self, features: dict[str, tuple[Tensor, ...]], decision: Decision) -> Tensor:
        """Sum over experts of weight times output, each on the tokens that chose it."""
        total: Tensor | None = None
        weights = decision.weight.unbind(-1)
        for i, kind in enumerate(self.kinds):
            emit = getattr(self, kind).emit
            if decision.chosen is None:
                out, gate = promote(emit(*features[kind])), weights[i][..., None]
                total = out * gate if total is None else torch.addcmul(total, out, gate)
                continue
            rows = [x.flatten(0, 1) for x in features[kind]]
            out = dispatch(emit, rows, decision.chosen[..., i].flatten(), weights[i].flatten())
            out = out.view(*weights[i].shape, -1)
            total = out if total is None else total + out
        return total
