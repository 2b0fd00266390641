"""``grow``: a larger model that computes what the smaller one did, and trains on from there.

Growing is the *scale* axis: it makes training cheaper and adds no fact; a tape of facts is outside
the weights and stays bound. Width and depth in one go: every old block gets its place
(``layer_mapping``), every tensor grows by its rule (``rules``), the optimiser's moments with it
(``moments``), and so does the state of sequences that the smaller model has begun to read. Net2Net
(arXiv 1511.05641) and LEMON (2310.07999) with zeros in place of copies.
"""

from __future__ import annotations

import dataclasses
import json
import zlib
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer

from prism.config import PrismConfig
from prism.former_names import former_fields
from prism.growth.axes import Axes, Axis, fixed, nested, placed
from prism.growth.layer_mapping import layer_mapping
from prism.growth.moments import grown_optimizer, warm_up_bound
from prism.growth.report import GrowthReport, starts_at_zero, tensors_report
from prism.growth.rules import TensorGrowth, block_rules, outer_rules
from prism.model.block import BlockState
from prism.model.prism import Prism, PrismState
from prism.model.protocol import map_state
from prism.model.symbolic import SymbolicState
from prism.ops.seeded import seeded

BLOCK = "blocks."


@dataclass(frozen=True)
class GrowResult:
    """Result of :func:`grow`, whose arguments are left as they were.

    Attributes:
        model: of the new config, with dtype, device, mode, exploration and frozen parameters of
            the old one.
        optimizer: of the grown parameters; None if none was given.
        report: the change of every tensor.
        tensors: by name of parameter or buffer, to grow what else is kept per parameter.
        before: the config that the model had.
    """

    model: Prism
    optimizer: Optimizer | None
    report: GrowthReport
    tensors: dict[str, TensorGrowth]
    before: PrismConfig

    def state(self, carried: PrismState) -> PrismState:
        """State of B sequences under the old model, ``carried``, for the grown one.

        With ``exact`` the logits continue as the old model's would. Old entries go where their
        weights went, the bus scaled by ``c`` as the stream is (``prism.growth.rules``); units,
        codes, fast weights and counts have the same values in both models. New entries are as at
        the start of a document.
        """
        axes = Axes(self.before, self.model.config)
        like, device = carried.blocks[0].bus, next(self.model.parameters()).device
        with torch.no_grad():
            first = self.model(torch.zeros(1, 1, dtype=torch.long, device=device)).state
            state = map_state(first, lambda x: x.new_zeros(len(like), *x.shape[1:]).to(like.device))
            for block, source in zip(state.blocks, self.report.blocks, strict=True):
                if source is not None:
                    _fill_state(block, carried.blocks[source], axes)
            if state.symbolic is not None:
                _start_machine(state.symbolic, self.model)
                _fill_machine(state.symbolic, carried.symbolic, axes)
        return PrismState(state.blocks, state.symbolic, carried.segment, carried.holo)


def grow(
    model: Prism,
    new_config: PrismConfig,
    optimizer: Optimizer | None = None,
    method: str = "exact",
) -> GrowResult:
    """Make ``model`` as large as ``new_config``.

    Args:
        model: a trained model; what it carries of a sequence goes on with ``GrowResult.state``.
        new_config: larger in any of d_model, num_layers, neural_hidden, tape.content_heads,
            tape.position_heads, tape.d_mem, symbolic.units, symbolic.dials, symbolic.reflections,
            half_lives (old ones first).
            New weights are drawn from its seed and the two configs.
        optimizer: over the parameters of ``model``; its moments move with the weights.
        method: ``"exact"``: new blocks add nothing at first; the function stays. ``"stack"``: new
            blocks are copies of the old ones in order; the function does not stay.

    Raises:
        ValueError: what cannot grow so; names the field, its value and what is allowed.
    """
    if not isinstance(model, Prism):
        raise ValueError(f"model = {type(model).__name__}: must be a Prism")
    old_config = model.config
    sources = layer_mapping(old_config, new_config, method)
    # spelled with the former names of fields, so that growing draws the same weights as ever
    both = [former_fields(config.to_dict()) for config in (old_config, new_config)]
    seed = zlib.crc32(json.dumps(both).encode())  # the seeds of the two may be equal
    grown = Prism(dataclasses.replace(new_config, seed=seed))
    grown.config = new_config
    grown.to(model.embedding.weight.dtype)
    with seeded(seed + 1):
        tensors = _tensor_growth(grown, sources, model)
        _fill(grown, model, tensors)
    copy_module_state(grown, model, tensors)
    moved = None if optimizer is None else grown_optimizer(optimizer, model, grown, tensors)
    report = GrowthReport(
        method=method,
        exact=method == "exact" or len(sources) == old_config.num_layers,
        parameters=(model.num_parameters(), grown.num_parameters()),
        blocks=tuple(sources),
        tensors=tensors_report(tensors, model, grown, optimizer),
        warm_up_bound=None if moved is None else warm_up_bound(moved),
    )
    return GrowResult(grown, moved, report, tensors, old_config)


def _tensor_growth(
    grown: Prism, sources: list[int | None], model: Prism
) -> dict[str, TensorGrowth]:
    """One per parameter (tied ones once) and persistent buffer."""
    had, old = model.state_dict().keys(), model.config
    outer = outer_rules(old, grown.config)
    kept = {source for source in sources if source is not None}
    inner = {source: block_rules(old, grown.config, source) for source in kept}
    once = {name for name, _ in (*grown.named_parameters(), *grown.named_buffers())}
    tensors = {}
    for name in (name for name in grown.state_dict() if name in once):
        if not name.startswith(BLOCK):
            is_new = name not in had  # the first dials or reflections of the machine
            tensors[name] = TensorGrowth(*((None, None) if is_new else (name, outer[name])))
            continue
        layer, leaf = name.removeprefix(BLOCK).split(".", 1)
        source = f"{BLOCK}{sources[int(layer)]}.{leaf}"
        if source in had:
            tensors[name] = TensorGrowth(source, inner[sources[int(layer)]][leaf])
        else:  # a new block, or the first head of its sort in an old one
            tensors[name] = TensorGrowth(None, None)
    return tensors


@torch.no_grad()
def _fill(grown: Prism, model: Prism, tensors: dict[str, TensorGrowth]) -> None:
    """Weights into ``grown``, which holds those of a new model."""
    old, new = model.state_dict(), grown.state_dict()
    for name, growth in tensors.items():
        if growth.source is not None:
            new[name].copy_(growth.rule.weight(old[growth.source], new[name]))
        elif starts_at_zero(name):
            new[name].zero_()  # a new block adds nothing to the stream


def copy_module_state(grown: Prism, model: Prism, tensors: dict[str, TensorGrowth]) -> None:
    """Device, mode, exploration and what is frozen, as in ``model``."""
    grown.to(model.embedding.weight.device).train(model.training)
    for block in model.blocks:
        if block.router is not None:
            grown.set_exploration(block.router.epsilon)
    trained = {name: p.requires_grad for name, p in model.named_parameters()}
    for name, parameter in grown.named_parameters():
        source = tensors[name].source
        parameter.requires_grad_(source is None or trained[source])


def _fill_state(new: BlockState, old: BlockState, axes: Axes) -> None:
    """The entries of ``old`` into their places in ``new``."""
    new.bus = _put(new.bus, axes.stretch * old.bus, axes.rates, axes.group)
    for part, hidden in (("neural", axes.hidden), ("anchor", axes.anchor)):
        units = getattr(old, part)
        if units is not None:
            rows = (fixed(units.shape[1]), nested(fixed(2), hidden))
            setattr(new, part, _put(getattr(new, part), units, *rows))
    if old.tape is not None:
        tape, was = new.tape, old.tape
        if axes.content.places:
            tape.fast_weights = _put(
                tape.fast_weights, was.fast_weights, axes.content, axes.slots, axes.width
            )
            tape.code = _put(tape.code, was.code, axes.content, axes.slots)
        if axes.position.places:
            tape.ring = _put(tape.ring, was.ring, axes.lags, axes.position, axes.width)


def _start_machine(state: SymbolicState, model: Prism) -> None:
    """Make of zeros the start of a document: dials are uniform, registers the identity."""
    if state.dials is not None:
        state.dials.position.fill_(1 / state.dials.position.shape[-1])
        state.dials.before.copy_(model.machine.dials.none_before)
    if state.reflections is not None:
        matrix = state.reflections.matrix
        matrix.copy_(torch.eye(matrix.shape[-1]))


def _fill_machine(new: SymbolicState, old: SymbolicState, axes: Axes) -> None:
    """The entries of ``old`` into their places in ``new``."""
    new.gate = _put(new.gate, old.gate, axes.units)
    for name, value in old.primitives.items():
        new.primitives[name] = _put(new.primitives[name], value, axes.units)
    if old.inexact is not None:
        new.inexact = _put(new.inexact, old.inexact, axes.units)
    new.suffix = old.suffix  # what was read does not depend on sizes
    if old.dials is not None:
        places = fixed(old.dials.position.shape[-1])
        new.dials.position = _put(new.dials.position, old.dials.position, axes.dials, places)
        new.dials.before = _put(new.dials.before, old.dials.before, axes.choices)
    if old.reflections is not None:
        size = fixed(old.reflections.matrix.shape[-1])
        new.reflections.matrix = _put(
            new.reflections.matrix, old.reflections.matrix, axes.reflections, size, size
        )


def _put(new: Tensor, old: Tensor, *axes: Axis) -> Tensor:
    """``new [B, ...]`` with ``old`` in the places of ``axes``."""
    return placed(new.to(old.dtype), old, (fixed(new.shape[0]), *axes))
