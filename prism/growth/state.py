"""The state of sequences that the smaller model has begun to read, for the grown one to go on with.

Old entries go where their weights went. The bus is stretched by ``c`` as the stream is
(``prism.growth.rules``); normalised features, codes, fast weights and counts have the same values in
both models. New entries are 0, as at the start of a document.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from prism.config import PrismConfig
from prism.growth.axes import Axes, Axis
from prism.model.prism import Prism
from prism.model.protocol import map_state
from prism.model.state import BlockState, PrismState


@torch.no_grad()
def carried_state(
    state: PrismState, old: PrismConfig, grown: Prism, sources: Sequence[int | None]
) -> PrismState:
    """``state`` of B sequences under a model of ``old``, for ``grown``.

    Args:
        sources: old block of each new block, None for a new one.
    """
    axes = Axes(old, grown.config)
    blocks = _silent(grown, state.blocks[0].bus)
    for block, source in zip(blocks, sources, strict=True):
        if source is not None:
            _fill(block, state.blocks[source], axes)
    return PrismState(blocks, state.segment, state.holo)


def _silent(grown: Prism, like: Tensor) -> tuple[BlockState, ...]:
    """States of all blocks at the start of B documents, with the batch and device of ``like``."""
    parameter = next(grown.parameters())
    state = grown(torch.zeros(1, 1, dtype=torch.long, device=parameter.device)).state
    batch = like.shape[0]
    return map_state(state.blocks, lambda x: x.new_zeros(batch, *x.shape[1:]).to(like.device))


def _fill(new: BlockState, old: BlockState, axes: Axes) -> None:
    """The entries of ``old`` into their places in ``new``."""
    new.bus = _put(new.bus, axes.stretch * old.bus, axes.rates, axes.group)
    if old.last is not None:
        new.last = _put(new.last, old.last, axes.stream)
    if old.tape is not None:
        tape, was = new.tape, old.tape
        if axes.content.places:
            tape.fast_weights = _put(
                tape.fast_weights, was.fast_weights, axes.content, axes.slots, axes.width
            )
            tape.code = _put(tape.code, was.code, axes.content, axes.slots)
        if axes.position.places:
            tape.ring = _put(tape.ring, was.ring, axes.lags, axes.position, axes.width)
    if old.symbolic is not None:
        machine, its = new.symbolic, old.symbolic
        machine.gate = _put(machine.gate, its.gate, axes.units)
        for name, value in its.primitives.items():
            machine.primitives[name] = _put(machine.primitives[name], value, axes.units)


def _put(new: Tensor, old: Tensor, *axes: Axis) -> Tensor:
    """``old [B, ...]`` in the places of ``axes``, among zeros in the shape of ``new``."""
    every = (torch.arange(new.shape[0]), *(axis.index for axis in axes))
    places = torch.meshgrid(*(index.to(new.device) for index in every), indexing="ij")
    return torch.zeros_like(new, dtype=old.dtype).index_put(places, old)
