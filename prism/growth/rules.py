"""Growth rules: one per tensor, such that the grown model computes the same function.

The stream gets D' - D new coordinates that are exactly 0 at first. RMSNorm would notice, because
its mean runs over D' numbers; so the old part of the stream is stretched,

    x' = [c x, 0],   c = sqrt(D' / D):   mean(x'^2) = mean(x^2),   x' / rms(x') = [c x / rms(x), 0]

and the gain w / c gives [norm(x), 0]. Neither eps nor the root mean square of the stream changes.
The bus norm inside a block gets the same treatment on its channels h' = [c h, 0].

    scaled by c      embedding and head (tau' and the last gain undo it), all that write to the
                     stream, the rows of the bus that make h
    scaled by 1 / c  gains, and what reads embeddings that no gain has scaled back: the symbolic
                     machine, if it has no codes to read
    as they are      all other readers, the weights by channel of a block, and the inside of
                     symbolic machines that read codes, whose width is their own

Of every new path one side is zero and the other random, so that the new path adds nothing at first
and both sides have a gradient after one step: writers get zeros, readers are drawn as in a new
model. In the bus it is the other way round (h' must be 0 inside the norm): its new z rows are
zeros, the columns that read the new channels are random.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from prism.config import PrismConfig, SymbolicConfig
from prism.growth.axes import Axes, Axis, fixed, nested, placed
from prism.model.scale import logit_scale


@dataclass(frozen=True)
class InputCopies:
    """Rows of the old unit-input matrix ``[4 U, D]`` that new units share on the old columns.

    Attributes:
        target: rows of the grown matrix ``[4 U', D']``.
        source: the row of the old matrix that each is a copy of.
        note: the same in words.
    """

    target: tuple[int, ...]
    source: tuple[int, ...]
    note: str


@dataclass(frozen=True)
class Rule:
    """Growth of one tensor from its smaller self.

    Attributes:
        axes: where the old entries of each axis go.
        scale: factor of the old entries, a number or a tensor that broadcasts over them.
        zero: ``(axis, indices)``: entries there start at zero.
        value: every new entry is this number.
        std: new entries are drawn with this deviation. Without it and ``value``, they are what a
            new model has there.
        copies: rows that new units share with old ones.
        note: what is special about the new entries, in words.
    """

    axes: tuple[Axis, ...]
    scale: float | Tensor = 1.0
    zero: tuple[tuple[int, Tensor], ...] = ()
    value: float | None = None
    std: float | None = None
    copies: InputCopies | None = None
    note: str = ""

    def weight(self, old: Tensor, drawn: Tensor) -> Tensor:
        """The grown tensor.

        Args:
            old: ``[...]`` the smaller tensor.
            drawn: ``[...]`` the tensor of a new model of the new size, for the new entries.
        """
        grown = drawn.double()
        if self.std is not None:
            grown = self.std * torch.randn(drawn.shape, dtype=torch.float64)
        if self.value is not None:
            grown = torch.full_like(grown, self.value)
        for axis, indices in self.zero:
            grown = grown.index_fill(axis, indices, 0.0)
        part = old.detach().cpu().double() * self.scale
        grown = placed(grown, part, self.axes)
        if self.copies is not None:
            rows, columns = torch.tensor(self.copies.target), self.axes[1].index
            grown[rows[:, None], columns] = part[list(self.copies.source)]
        return grown.to(old.dtype)

    def moment(self, old: Tensor, power: int) -> Tensor:
        """The grown moment of an optimiser; new entries are 0.

        A weight that was scaled by s has gradients 1/s as large: a moment of the gradient's power
        p is scaled by ``s^-p``.
        """
        shape = [axis.size for axis in self.axes]
        part = old.detach().cpu().double() * self.scale**-power
        return placed(torch.zeros(shape, dtype=torch.float64), part, self.axes).to(old.dtype)


@dataclass(frozen=True)
class TensorGrowth:
    """Growth of one tensor of a model.

    Attributes:
        source: name of the tensor that it comes from; None = there was none.
        rule: how it grows; None for a tensor that is wholly new.
    """

    source: str | None
    rule: Rule | None


def outer_rules(old: PrismConfig, new: PrismConfig) -> dict[str, Rule]:
    """A rule for every tensor outside of the blocks, by its name."""
    axes, words = Axes(old, new), fixed(old.vocab_size)
    c, stream = axes.stretch, axes.stream
    # logits are tau E norm(x), E is c times as large: the last gain undoes both factors
    back = c * logit_scale(new.d_model) / logit_scale(old.d_model)
    return {
        "embedding.weight": Rule(
            (words, stream), c, zero=((1, stream.added),), note="new columns zero"
        ),
        "head.weight": Rule((words, stream), c, note="new columns random"),
        "first_norm.weight": Rule((stream,), note="new gains one"),
        "last_norm.weight": _gain(stream, c * back),
        "holo.roles.weight": Rule((fixed(4), stream), back, note="new columns random"),
        "holo.roles.bias": Rule((fixed(4),)),
        **{f"machine.{name}": rule for name, rule in _machine(axes, old).items()},
    }


def block_rules(old: PrismConfig, new: PrismConfig, layer: int) -> dict[str, Rule]:
    """A rule for every tensor of block ``layer`` of the old model, by its name in the block."""
    axes, kinds = Axes(old, new), old.kinds_at(layer)
    score = Rule((fixed(len(kinds)), axes.stream), note="new columns random")
    table = {
        "bus_norm.weight": _gain(axes.stream, axes.stretch),
        "expert_norm.weight": _gain(axes.stream, axes.stretch),
        "router.score.weight": score,
        "router.score.bias": Rule((fixed(len(kinds)),)),
        "router.selection_bias": Rule((fixed(len(kinds)),)),
        "skip.weight": Rule((axes.stream,), note="zero, as at a start"),
        "symbolic.weight": Rule((axes.stream,), note="one, as at a start"),
    }
    table |= _bus(axes) | _neural(axes, old, "anchor", axes.anchor)
    if "neural" in kinds:
        table |= _neural(axes, old, "neural", axes.hidden)
    if "memory" in kinds:
        table |= _memory(axes)
    return table


def _gain(channels: Axis, c: float) -> Rule:
    return Rule((channels,), 1 / c, value=1 / c, note=f"new gains {1 / c:.6g}")


def _bus(axes: Axes) -> dict[str, Rule]:
    c, channels = axes.stretch, axes.channels
    old = len(channels.places)
    stretched = torch.tensor([[c]] * old + [[1.0]] * old, dtype=torch.float64)  # z rows, u rows
    return {
        "bus.read.weight": Rule(
            (nested(fixed(2), channels), axes.stream),
            stretched,
            zero=((0, channels.added),),  # the z half; the u half comes after it
            note="new z rows zero, the rest random",
        ),
        "bus.gate.weight": Rule((axes.rates, axes.stream), note="random"),
        "bus.reset.weight": Rule((axes.rates, axes.stream), note="zero, as at a start"),
        "bus.reset.bias": Rule((axes.rates,), note="zero, as at a start"),
        "bus.norm.weight": _gain(channels, c),
        "bus.write.weight": Rule(
            (axes.stream, channels),
            c,
            zero=((0, axes.stream.added),),
            std=channels.size**-0.5,
            note="new rows zero, new columns random",
        ),
    }


def _writer(target: Axis, source: Axis, c: float) -> Rule:
    """Features to the stream, or to an answer: new ones add nothing at first."""
    zero = ((0, target.added), (1, source.added))
    return Rule((target, source), c, zero=zero, note="new entries zero")


def _neural(axes: Axes, old: PrismConfig, part: str, hidden: Axis) -> dict[str, Rule]:
    both = nested(fixed(2), hidden)  # gates, then values
    return {
        f"{part}.read.weight": Rule((both, axes.stream), note="random"),
        f"{part}.taps": Rule((fixed(old.neural_taps), both), note="as at a start"),
        f"{part}.write.weight": _writer(axes.stream, hidden, axes.stretch),
    }


def _memory(axes: Axes) -> dict[str, Rule]:
    return {
        "memory.value.weight": Rule((axes.values, axes.stream), note="random"),
        "memory.beta.weight": Rule((axes.heads, axes.stream), note="random"),
        "memory.encode.weight": Rule((axes.codes, axes.stream), note="random"),
        "memory.mix": Rule((axes.content,), note="zero, as at a start"),
        "memory.steer.weight": Rule((axes.steers, axes.stream), note="random"),
        "memory.offset": Rule((axes.position, axes.slots), note="the next lags"),
        "memory.write.weight": _writer(axes.stream, axes.values, axes.stretch),
    }


def _machine(axes: Axes, old: PrismConfig) -> dict[str, Rule]:
    """Of the symbolic machine. With answers only what lifts them into the stream has the width D;
    without, the machine reads ``[c e, 0]`` and writes to the stream."""
    config = old.symbolic
    width, wide, c = axes.stream, axes.stream, axes.stretch
    if config.answers:
        width, wide, c = fixed(config.width), fixed(config.reflection_width), 1.0
    units, library = axes.units, fixed(len(config.primitives))
    pairs = nested(fixed(2), units)
    copies = input_copies(config, units.size)
    note = "random" if copies is None else f"random, but {copies.note}"
    parts = {"dials": _dials(axes, width, c), "reflections": _reflections(axes, wide, c)}
    return {
        "code": Rule((fixed(old.vocab_size), width)),
        "wide_code": Rule((fixed(old.vocab_size), wide)),
        "lift.weight": _writer(axes.stream, width, axes.stretch),
        "read.weight": Rule((nested(fixed(4), units), width), 1 / c, copies=copies, note=note),
        "gate_start": Rule((units,), note="one, as at a start"),
        "theta": Rule((pairs,), note="zero, as at a start"),
        "choice": Rule((library, fixed(4), units), note="random"),
        "preference": Rule((library, units), note="the next first choices"),
        "write.weight": _writer(width, pairs, c),
        "suffix.gain": Rule((fixed(len(config.suffixes)), axes.stream), note="as at a start"),
        **{
            f"{part}.{name}": rule
            for part, all_of in parts.items()
            for name, rule in all_of.items()
        },
    }


def _dials(axes: Axes, width: Axis, c: float) -> dict[str, Rule]:
    return {
        "now.weight": Rule((axes.choices, width), 1 / c, note="random"),
        "now.bias": Rule((axes.choices,), note="as at a start"),
        "before.weight": Rule((axes.choices, width), 1 / c, note="random"),
        "none_before": Rule((axes.choices,), note="as at a start"),
        "value.weight": Rule((axes.positions, width), 1 / c, note="random"),
        "write.weight": _writer(width, axes.positions, c),
    }


def _reflections(axes: Axes, width: Axis, c: float) -> dict[str, Rule]:
    return {
        "read.weight": Rule((axes.mirrors, width), 1 / c, note="random"),
        "anew.weight": Rule((axes.reflections, width), 1 / c, note="random"),
        "anew.bias": Rule((axes.reflections,), note="as at a start"),
        "contraction": Rule((axes.reflections,), note="as at a start"),
        "write.weight": _writer(width, axes.entries, c),
    }


def input_copies(old: SymbolicConfig, units: int) -> InputCopies | None:
    """Unit inputs that the new ones among ``units`` units must share with old ones; None if none.

    Two primitives read other units. ``shift`` gives a unit the inputs a of the unit before it, and
    the first one those of the last; ``count`` gives every unit the share of units with a > 0. So

        shift   the last new unit has both inputs a of the last old one
        count   the new units' inputs a are m times a permutation of the old units': the share of
                m + 1 equal parts is the share of one

    For ``count``, a1 and a2 are permuted differently: in the m-th group of copies, a2 of all but
    the last unit moves m places round. So a new unit turns by angles that no old one has; its
    inputs b, its choice and its output weights are its own anyway.
    """
    before = old.units
    if units == before:
        return None
    if "count" in old.primitives:
        new = range(before, units)
        first = [unit % before for unit in new]
        second = [
            u if u == before - 1 else (u + unit // before) % (before - 1)
            for unit, u in zip(new, first, strict=True)
        ]
        note = "inputs a are permuted copies"
    elif "shift" in old.primitives:
        new, first, second = range(units - 1, units), [before - 1], [before - 1]
        note = "inputs a of the last unit are a copy"
    else:
        return None
    target = (*new, *(units + unit for unit in new))
    return InputCopies(target, (*first, *(before + unit for unit in second)), note)
