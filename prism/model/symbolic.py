"""The symbolic expert: a fixed-width machine of discrete units beside the residual stream.

``U`` units, independent of D, read four inputs each; every token picks one primitive of the library
per unit by a hard choice whose gradient is that of the softmax (straight-through):

    inputs(t)  = r W x(t),                                          r = unit_input_rate
    score_u(t) = A_u tanh(inputs_u(t)) + preference_u
    y_u(t)     = primitive_{argmax score_u(t)} (inputs_u(t)),           out = W_out y

``x`` is the token's normalised embedding in every block. In the residual stream a token's angle
would depend on its context, and a step that is rounded differently once is wrong for ever; read
from the token alone, a machine that counts right once counts right at any length.

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

import torch
from einops import rearrange
from torch import Tensor, nn

from prism.config import SymbolicConfig
from prism.model.norm import promote
from prism.model.primitives import CAUSAL_LIBRARY, TOKEN_LIBRARY, UnitInputs, angle_steps
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
    """

    gate: Tensor
    primitives: dict[str, Tensor]


class SymbolicMachine(nn.Module):
    """Args: ``dim`` D; ``config`` units, primitives and moduli."""

    def __init__(self, dim: int, config: SymbolicConfig) -> None:
        super().__init__()
        self.config = config
        self.input_rate = 1.0 if config.unit_input_rate is None else config.unit_input_rate
        units, choices = config.units, len(config.primitives)
        self.read = nn.Linear(dim, 4 * units, bias=False)
        self.gate_start = nn.Parameter(torch.ones(units))
        self.theta = nn.Parameter(torch.zeros(2 * units))
        self.choice = nn.Parameter(torch.zeros(choices, 4, units))
        self.preference = nn.Parameter(torch.zeros(choices, units))
        self.write = nn.Linear(2 * units, dim, bias=False)
        self._reset(dim)

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
        return SymbolicState(units, carried)

    def forward(
        self,
        x: Tensor,
        state: SymbolicState | None,
        doc_index: Tensor | None,
        ends: RowEnds | None = None,
    ) -> tuple[Tensor, SymbolicState, Tensor]:
        """``x [B, T, D]`` to features ``[B, T, 2 U]``, the new state, and the primitive that each
        unit picked ``[B, T, U]``."""
        raw = promote(self.read(x)) * self.input_rate
        a, b = raw.chunk(2, dim=-1)
        gate_now, gate_next = b.chunk(2, dim=-1)
        before = shift_right(gate_next, None if state is None else state.gate, doc_index)
        inputs = UnitInputs(
            a,
            b,
            angle_steps(a, self.gate_start + gate_now + before, self.config.moduli),
            self.theta,
            doc_index,
            {} if state is None else state.primitives,
        )
        results, carried = [], {}
        for name in self.config.primitives:
            if name in CAUSAL_LIBRARY:
                pair, total = CAUSAL_LIBRARY[name](inputs)
                carried[name] = last_real(total, inputs.carried.get(name), ends)
            else:
                pair = TOKEN_LIBRARY[name](inputs)
            results.append(pair)
        y, picked = hard_choice(self._scores(raw), results)
        gate = last_real(gate_next, None if state is None else state.gate, ends)
        return y, SymbolicState(gate, carried), picked

    def _scores(self, raw: Tensor) -> Tensor:
        """Score of each primitive for each unit, ``[B, T, P, U]``, from its own four inputs."""
        # one matrix with the units on its diagonals: a plain product is faster than U small ones
        weight = rearrange(torch.diag_embed(self.choice), "p i u v -> (i u) (p v)")
        score = torch.tanh(raw) @ weight.to(raw.dtype) + self.preference.flatten().to(raw.dtype)
        return score.unflatten(-1, self.preference.shape)

    def emit(self, features: Tensor) -> Tensor:
        """Features ``[n, 2 U]`` to the stream ``[n, D]``."""
        return self.write(features.to(self.write.weight.dtype))
