"""The symbolic expert: a fixed-width machine of discrete units beside the residual stream.

``U`` units, independent of D, read four inputs each; every token picks one primitive of the library
per unit by a hard choice whose gradient is that of the softmax (straight-through):

    inputs(t)  = r W x(t),                                          r = unit_input_rate
    score_u(t) = A_u tanh(inputs_u(t)) + preference_u
    y_u(t)     = primitive_{argmax score_u(t)} (inputs_u(t)),           out = W_out y

``x`` is the token's normalised embedding. In the residual stream a token's angle would depend on
its context, and a step that is rounded differently once is wrong for ever; read from the token
alone, a machine that counts right once counts right at any length. So one machine serves all
blocks: it runs once per call, each block weighs its output by channel and its router by token.

State advances with every token whatever was picked, so choosing is only reading. The unit inputs
start large: an angle does not depend on their size, so a larger start is a smaller relative step of
the optimiser, and early noise cannot erase a solution. The weights start 1/r as large, and AdamW's
step does not depend on the size of a weight: r is the learning rate of the input projection as a
share of the others' (weight decay, which does, is not slowed). In a branch that is trained apart
(prism/modular) r is small: its output projection starts at zero, so the first gradients of the
input projection are noise, which AdamW turns into whole steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from prism.config import SymbolicConfig
from prism.model.dial import Dials, DialState
from prism.model.norm import promote
from prism.model.primitives import (
    CAUSAL_LIBRARY,
    TOKEN_LIBRARY,
    UnitInputs,
    angle_steps,
    snap_table,
)
from prism.model.reflections import Reflections, ReflectionState
from prism.model.state import Leaf, State
from prism.ops.choice import hard_choice
from prism.ops.documents import RowEnds, last_real, shift_right

INPUT_STD = 2.2  # of the inputs a; the gate inputs b start 1/16 of it
FIRST_PREFERENCE = 2.0  # head start of a unit's first primitive, in logits


FIRST_CYCLE = ("rotor", "rotor", "latch", "rotor", "counter", "flipflop", "rotor", None)


def first_choices(config: SymbolicConfig) -> list[int]:
    """Index of the primitive that each unit starts with: ``FIRST_CYCLE`` over and over, its None
    (and what the library lacks) going through the whole library."""
    names, first, others = config.primitives, [], 0
    for unit in range(config.units):
        name = FIRST_CYCLE[unit % len(FIRST_CYCLE)]
        if name not in names:
            name = names[others % len(names)]
            others += 1
        first.append(names.index(name))
    return first


@dataclass
class SymbolicState(State):
    """State of one symbolic expert.

    Attributes:
        gate: ``[B, U]`` last token's input b2, which gates the step of the next.
        primitives: ``[B, U]`` per causal primitive, by name.
        dials: of the dials; None without.
    """

    gate: Tensor
    primitives: dict[str, Tensor]
    dials: DialState | None = None
    reflections: ReflectionState | None = None


class SymbolicRun(NamedTuple):
    """Result of the machine on one call.

    Attributes:
        output: ``[B, T, D]``.
        state: after the last token.
        picked: ``[B, T, U]`` index of the primitive that each unit took.
    """

    output: Tensor
    state: SymbolicState
    picked: Tensor


class SymbolicMachine(nn.Module):
    """Args: ``dim`` D; ``config`` units, primitives and moduli."""

    def __init__(self, dim: int, config: SymbolicConfig) -> None:
        super().__init__()
        self.config = config
        self.snaps = snap_table(config.moduli)
        self.input_rate = 1.0 if config.unit_input_rate is None else config.unit_input_rate
        units, choices = config.units, len(config.primitives)
        self.read = nn.Linear(dim, 4 * units, bias=False)
        self.gate_start = nn.Parameter(torch.ones(units))
        self.theta = nn.Parameter(torch.zeros(2 * units))
        self.choice = nn.Parameter(torch.zeros(choices, 4, units))
        self.preference = nn.Parameter(torch.zeros(choices, units))
        self.write = nn.Linear(2 * units, dim, bias=False)
        self._reset(dim)
        self.dials = None
        if config.dials:
            self.dials = Dials(dim, config.dials, config.dial_positions, config.dial_reach)
        self.reflections = None
        if config.reflections:
            self.reflections = Reflections(dim, config.reflections, config.reflection_size)

    @torch.no_grad()
    def _reset(self, dim: int) -> None:
        units = self.config.units
        nn.init.normal_(self.read.weight, std=INPUT_STD * dim**-0.5)
        self.read.weight[2 * units :] /= 16
        self.choice.normal_(std=0.02)
        self.preference[first_choices(self.config), range(units)] = FIRST_PREFERENCE
        self.write.weight.copy_(self.read.weight[: 2 * units].T / INPUT_STD)
        self.read.weight /= self.input_rate

    @property
    def like(self) -> SymbolicState:
        """Shapes of the state."""
        units = Leaf((self.config.units,))
        carried = {name: units for name in self.config.primitives if name in CAUSAL_LIBRARY}
        return SymbolicState(
            units,
            carried,
            None if self.dials is None else self.dials.like,
            None if self.reflections is None else self.reflections.like,
        )

    def forward(
        self,
        x: Tensor,
        state: SymbolicState | None,
        doc_index: Tensor | None,
        ends: RowEnds | None = None,
    ) -> SymbolicRun:
        """Run on ``x [B, T, D]``.

        Args:
            state: of the call before; None at the start.
            doc_index: ``[B, T]`` document index of each token or None.
            ends: where the real tokens of each row end; None = at T.
        """
        raw = promote(self.read(x.to(self.read.weight.dtype)))  # [B, T, 4 U]
        if self.input_rate != 1.0:
            raw = raw * self.input_rate
        a, b = raw.chunk(2, dim=-1)
        gate_now, gate_next = b.chunk(2, dim=-1)
        gate, carried = (None, {}) if state is None else (state.gate, state.primitives)
        steps_gate = self.gate_start + gate_now + shift_right(gate_next, gate, doc_index)
        steps = angle_steps(a, steps_gate, self.snaps)
        inputs = UnitInputs(a, b, steps, self.theta.to(raw.dtype), doc_index, carried)
        results, after = [], {}
        for name in self.config.primitives:
            if name in CAUSAL_LIBRARY:
                pair, total = CAUSAL_LIBRARY[name](inputs)
                after[name] = last_real(total, carried.get(name), ends)
            else:
                pair = TOKEN_LIBRARY[name](inputs)
            results.append(pair)
        features, picked = hard_choice(self._scores(raw), results)
        output = self.write(features.to(self.write.weight.dtype))
        dials = None
        if self.dials is not None:
            before = None if state is None else state.dials
            said, dials = self.dials(x.to(self.write.weight.dtype), before, doc_index, ends)
            output = output + said
        mirror = None
        if self.reflections is not None:
            before = None if state is None else state.reflections
            said, mirror = self.reflections(x.to(self.write.weight.dtype), before, doc_index, ends)
            output = output + said
        after = SymbolicState(last_real(gate_next, gate, ends), after, dials, mirror)
        return SymbolicRun(output, after, picked)

    def _scores(self, raw: Tensor) -> Tensor:
        """Score of each primitive for each unit, ``[B, T, P, U]``, from its own four inputs."""
        choice, preference = self.choice.to(raw.dtype), self.preference.to(raw.dtype)  # [P, 4, U]
        rows, length, _ = raw.shape
        primitives, inputs, units = choice.shape
        near = torch.tanh(raw)
        if length == 1:  # one token: no matrix is worth making
            each = near.view(rows, 1, 1, inputs, units) * choice
            return each.sum(dim=-2) + preference
        # one matrix with the units on its diagonals: a plain product is faster than U small ones
        weight = torch.diag_embed(choice.transpose(0, 1)).transpose(1, 2)  # [4, U, P, U]
        weight = weight.reshape(inputs * units, primitives * units)
        score = torch.addmm(preference.flatten(), near.flatten(0, 1), weight)
        return score.view(rows, length, primitives, units)
