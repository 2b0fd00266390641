"""The symbolic expert: a fixed-width register machine beside the residual stream.

``U`` units, independent of D, read four lanes each; every token picks one primitive of the library
per unit by a hard choice whose gradient is that of the softmax (straight-through):

    lanes(t) = W x(t),   y_u(t) = primitive_{argmax_p (A_u lanes_u(t) + bias_u)[p]} (lanes_u(t)),
    out = W_out y

State advances with every token whatever was picked, so choosing is only reading. The lanes start
large: an angle does not depend on their size, so a larger start is a smaller relative step of the
optimiser, and early noise cannot erase a solution that has been found.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from prism.config import SymbolicConfig
from prism.model.norm import promote
from prism.model.primitives import CAUSAL_LIBRARY, TOKEN_LIBRARY, Lanes, angle_steps
from prism.model.state import SymbolicState
from prism.ops.documents import shift_right
from prism.ops.registers import straight_through

LANE_STD = 2.2  # of the angle lanes; the gate lanes start 1/16 of it


class SymbolicMachine(nn.Module):
    """Args: ``dim`` D; ``config`` units, primitives and moduli."""

    def __init__(self, dim: int, config: SymbolicConfig) -> None:
        super().__init__()
        self.config = config
        units, choices = config.units, len(config.primitives)
        self.read = nn.Linear(dim, 4 * units, bias=False)
        self.gate_start = nn.Parameter(torch.ones(units))
        self.theta = nn.Parameter(torch.zeros(units, 2))
        self.choice = nn.Parameter(torch.zeros(units, 4, choices))
        self.preference = nn.Parameter(torch.zeros(units, choices))
        for p in (self.gate_start, self.theta, self.choice, self.preference):
            p._no_weight_decay = True
        self.write = nn.Linear(2 * units, dim, bias=False)
        modulus = [config.moduli[u % len(config.moduli)] for u in range(units)]
        self.register_buffer("modulus", torch.tensor(modulus), persistent=False)
        self._reset(dim)

    @torch.no_grad()
    def _reset(self, dim: int) -> None:
        units = self.config.units
        lanes = torch.randn(units, 4, dim) * (LANE_STD * dim**-0.5)
        lanes[:, 2:] /= 16
        self.read.weight.copy_(lanes.flatten(0, 1))
        self.choice.normal_(std=0.02)
        for unit in range(units):
            self.preference[unit, self._first_choice(unit)] = 2.0
        self.write.weight.copy_(lanes[:, :2].flatten(0, 1).T / LANE_STD)

    def _first_choice(self, unit: int) -> int:
        """Units start spread over the library, every other one on a counting primitive."""
        names = self.config.primitives
        counting = [names.index(n) for n in ("rotor", "counter") if n in names]
        if counting and unit % 2 == 0:
            # each modulus meets each counting primitive as units go on
            cycle = unit // 2 // len(self.config.moduli)
            return counting[cycle % len(counting)]
        return (unit // 2) % len(names)

    def forward(
        self, x: Tensor, state: SymbolicState | None, runs: Tensor | None
    ) -> tuple[Tensor, SymbolicState, Tensor]:
        """``x [B, T, D]`` to features ``[B, T, 2 U]``, the new state, and the primitive that each
        unit picked ``[B, T, U]``."""
        raw = promote(self.read(x)).unflatten(-1, (-1, 4))
        a, b = raw[..., :2], raw[..., 2:]
        before = shift_right(b[..., 1], None if state is None else state.lane, runs)
        gate = self.gate_start + b[..., 0] + before
        modulus = self.modulus.to(raw.dtype)
        lanes = Lanes(
            a,
            b,
            angle_steps(a, gate, modulus),
            self.theta,
            modulus,
            runs,
            {} if state is None else state.registers,
        )
        results, registers = [], {}
        for name in self.config.primitives:
            if name in CAUSAL_LIBRARY:
                pair, total = CAUSAL_LIBRARY[name](lanes)
                registers[name] = total[:, -1]
            else:
                pair = TOKEN_LIBRARY[name](lanes)
            results.append(pair)
        weight, picked = self._choose(raw)
        y = (torch.stack(results, dim=-1) * weight[..., None, :]).sum(dim=-1)
        return y.flatten(2), SymbolicState(b[:, -1, :, 1], registers), picked

    def emit(self, features: Tensor) -> Tensor:
        """Features ``[n, 2 U]`` to the stream ``[n, D]``."""
        return self.write(features.to(self.write.weight.dtype))

    def _choose(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """One-hot choice ``[B, T, U, P]`` with the gradient of a softmax, and its index."""
        score = torch.einsum("btul,ulp->btup", torch.tanh(raw), self.choice.to(raw.dtype))
        soft = (score + self.preference).softmax(dim=-1)
        picked = soft.argmax(dim=-1)
        hard = nn.functional.one_hot(picked, soft.shape[-1]).to(soft.dtype)
        return straight_through(hard, soft), picked
