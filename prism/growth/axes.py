"""Places of the entries of an axis after growing.

Axes of weights are built from groups: the bus has K rates of G channels, the tape H heads of M
values. A group that grows must grow in place, so new entries stand at the end of every group and
not at the end of the axis:

    (i, j) of [A, B]  goes to  (outer(i), inner(j)) of [A', B'],  flat  outer(i) B' + inner(j)

Padding at the end instead would move channels from rate to rate and values from head to head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from prism.config import PrismConfig
from prism.model.symbolic.reflections import REFLECTIONS


@dataclass(frozen=True)
class Axis:
    """One axis: ``places[i]`` is the new index of old entry i, ``size`` the new length."""

    places: tuple[int, ...]
    size: int

    @cached_property
    def index(self) -> Tensor:
        """``places`` as int64 ``[old]``."""
        return torch.tensor(self.places, dtype=torch.long)

    @cached_property
    def added(self) -> Tensor:
        """New indices that no old entry goes to, int64 ``[size - old]``."""
        kept = set(self.places)
        return torch.tensor([i for i in range(self.size) if i not in kept], dtype=torch.long)


def longer(old: int, new: int) -> Axis:
    """``old`` entries, then ``new - old`` more."""
    return Axis(tuple(range(old)), new)


def fixed(size: int) -> Axis:
    """An axis that does not grow."""
    return longer(size, size)


def nested(outer: Axis, inner: Axis) -> Axis:
    """Groups in ``outer`` of entries in ``inner``; a fixed ``outer`` repeats ``inner``."""
    return Axis(
        tuple(i * inner.size + j for i in outer.places for j in inner.places),
        outer.size * inner.size,
    )


def beside(first: Axis, second: Axis) -> Axis:
    """The entries of ``first``, then those of ``second``."""
    moved = tuple(first.size + i for i in second.places)
    return Axis(first.places + moved, first.size + second.size)


class Axes:
    """Every axis of a model that can grow, from ``old`` to ``new``.

    Attributes:
        stream: D of the residual stream.
        rates, group, channels: K, D/K channels of one rate, and all D of the bus by rate.
        hidden, anchor: of the neural kind, and of the neural expert beside the kinds.
        content, position, heads: heads of the tape by sort, and all of a layer.
        slots, lags: S of a key, and the S - 1 tokens that a ring holds.
        width, values: M of a head, and H heads of M values.
        codes, steers: content and position heads of S slots.
        units, dials, reflections: of the symbolic machine.
        choices, positions, mirrors, entries: choices and positions of the dials, numbers that make
            the reflections, and entries of the registers.
    """

    def __init__(self, old: PrismConfig, new: PrismConfig) -> None:
        rates, more_rates = len(old.bus_half_lives), len(new.bus_half_lives)
        self.stream = longer(old.d_model, new.d_model)
        self.rates = longer(rates, more_rates)
        self.group = longer(old.d_model // rates, new.d_model // more_rates)
        self.channels = nested(self.rates, self.group)
        self.hidden = longer(old.hidden, new.hidden)
        self.anchor = longer(old.anchor_hidden or 0, new.anchor_hidden or 0)
        self.content = longer(old.tape.content_heads, new.tape.content_heads)
        self.position = longer(old.tape.position_heads, new.tape.position_heads)
        self.heads = beside(self.content, self.position)
        self.slots = longer(old.tape.num_slots, new.tape.num_slots)
        self.lags = longer(old.tape.num_slots - 1, new.tape.num_slots - 1)
        self.width = longer(old.tape.d_mem, new.tape.d_mem)
        self.values = nested(self.heads, self.width)
        self.codes = nested(self.content, self.slots)
        self.steers = nested(self.position, self.slots)
        was, now = old.symbolic, new.symbolic
        self.units = longer(was.units, now.units)
        self.dials = longer(was.dials, now.dials)
        self.choices = nested(self.dials, fixed(2 * was.dial_reach + 2))
        self.positions = nested(self.dials, fixed(was.dial_positions))
        self.reflections = longer(was.reflections, now.reflections)
        self.mirrors = nested(self.reflections, fixed(REFLECTIONS * was.reflection_size))
        self.entries = nested(self.reflections, fixed(was.reflection_size**2))

    @property
    def stretch(self) -> float:
        """``c = sqrt(D' / D)``, by which the old part of the stream is scaled."""
        return (self.stream.size / len(self.stream.places)) ** 0.5


def placed(grown: Tensor, part: Tensor, axes: Sequence[Axis]) -> Tensor:
    """``grown`` with the old entries ``part`` in their places, one of ``axes`` per dimension."""
    places = torch.meshgrid(*(axis.index.to(grown.device) for axis in axes), indexing="ij")
    return grown.index_put(places, part)
