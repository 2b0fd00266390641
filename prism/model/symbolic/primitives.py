"""Ten typed primitives of the symbolic expert, on the inputs of its units.

A unit reads four inputs per token, ``a = (a1, a2)`` and ``b = (b1, b2)``, and every primitive gives
a pair. Six act inside a token:

    compare    1[a > b]                      threshold  1[a > theta], theta learned
    gate       a sigmoid(b)                  shift      a of the unit before (cyclic)
    select     (a1, a2) if b1 > 0 else (a2, a1)         count      share of units with a > 0

Four carry exact state over tokens (ops/counters.py):

    latch      s(t) = -s(t-1) if a1 > 0 else s(t-1)                          s in {1, -1}
    flipflop   s(t) = sign(a1) if b1 > 0 else s(t-1)             s in {1, -1}, 0 when new
    rotor      c(t) = (c(t-1) + n(t)) mod 240                                point on a circle
    counter    c(t) = clip(c(t-1) + n(t), -120, 120)                         point on a half circle

with the step ``n = g snap(round(240 atan2(a2, a1) / 2 pi))`` in 240ths of a turn and a ternary
gate ``g = round(clip(g0 + b1(t) + b2(t-1), -1.2, 1.2))``, all straight-through. Why 240: a rotor
that counts modulo 5 in steps of a fifth cannot be learned, its value does not move with small
changes of the angle; on a fine grid it moves almost continuously, so gradient descent finds the
fifths, and ``snap`` then makes them exact: it takes a step near a simple fraction p/q of a turn to
that fraction, from the further away the simpler it is. 240 divides by 2, 3, 4, 5, 6, 8 and 16.

A rotor's point shrinks by ``fade`` with every step that is no such fraction. Steps of 53 for 48 do
no harm in the 32 tokens of training and are wrong after 100; so nothing at a distance can rest on
a rotor that is not exact, and what reads it is trained to rest on those that are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from prism.config import TURN, SymbolicConfig
from prism.ops.counters import hold, running_sum, saturating_sum, straight_through

FIRST_CYCLE = ("rotor", "rotor", "latch", "rotor", "counter", "flipflop", "rotor", None)

FADED = 512  # inexact steps after which nothing more is counted: .95^512 is 4e-12
MANY = 1 << 24  # more than the tokens of a call


def snap_width(q: int) -> float:
    """Grid steps within which a step is taken to p/q: 16/q, between 4 and 8."""
    return min(max(16 / q, 4), 8)


def _reach(moduli: tuple[int, ...]) -> dict[int, float]:
    """:func:`snap_width` of each step n < 240 that is p/q of a turn with q in ``moduli``; in the
    order of q, as the first of two equally near fractions wins."""
    ordered = sorted(moduli)
    return {TURN * p // q: snap_width(q // math.gcd(p, q)) for q in ordered for p in range(q)}


def snap_table(moduli: tuple[int, ...]) -> tuple[float, ...]:
    """Correction of each step n < 240 to the nearest p/q of a turn, q in ``moduli``, where that is
    within :func:`snap_width`."""
    reach, table = _reach(moduli), []
    for n in range(TURN):
        ways = [((f - n + TURN // 2) % TURN - TURN // 2, width) for f, width in reach.items()]
        near = [way for way, width in ways if abs(way) <= width]
        table.append(float(min(near, key=abs, default=0)))
    return tuple(table)


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
class UnitInputs:
    """Arguments of a primitive that acts inside a token; pairs are flat, the two numbers of unit u
    at u and U + u.

    Attributes:
        a, b: ``[.., 2 U]``.
        theta: ``[2 U]`` thresholds.
        signs: ``1[a1 > 0]``, ``1[a2 > 0]`` and ``1[b1 > 0]``, ``[.., U]`` each.
    """

    a: Tensor
    b: Tensor
    theta: Tensor
    signs: tuple[Tensor, ...] = field(init=False)

    def __post_init__(self) -> None:
        units = self.a.shape[-1] // 2
        on = above_zero(torch.cat([self.a, self.b[..., :units]], dim=-1))
        self.signs = on.split(units, dim=-1)


@dataclass
class UnitMoves:
    """Arguments of a primitive that carries state, ``[B, T, U]`` each.

    Attributes:
        on, write: ``1[a1 > 0]`` and ``1[b1 > 0]``.
        second: a2.
        steps: integer-valued.
        doc_index: ``[B, T]`` document index of each token or None.
        carried: ``[B, U]`` state before the call, by primitive name.
        size: of a rotor's point; None = 1.
    """

    on: Tensor
    write: Tensor
    second: Tensor
    steps: Tensor
    doc_index: Tensor | None
    carried: dict[str, Tensor]
    size: Tensor | None = None


def above_zero(x: Tensor) -> Tensor:
    """1 where x > 0 else 0, with the gradient of a sigmoid."""
    hard = (x > 0).to(x.dtype)
    return straight_through(hard, torch.sigmoid(x)) if torch.is_grad_enabled() else hard


def angle_steps(a: Tensor, snaps: tuple[float, ...]) -> Tensor:
    """Integer steps ``[.., U]``: the angle of ``a [.., 2 U]``, corrected by ``snaps``
    (:func:`snap_table`)."""
    x, y = a.chunk(2, dim=-1)
    x = torch.where((x == 0) & (y == 0), 1.0, x)  # the angle of nothing is 0, also its gradient
    turns = torch.atan2(y, x) * (TURN / (2 * math.pi))
    whole = turns.detach().round()
    table = torch.tensor(snaps, dtype=whole.dtype, device=whole.device)
    # a negative index counts from the end, as angles do; what is not a number stays that
    whole = whole + table[whole.nan_to_num().long()]
    return straight_through(whole, turns)


def ternary(gate: Tensor) -> Tensor:
    """-1, 0 or 1, whichever is nearest to ``gate``."""
    near = gate.clamp(-1.2, 1.2)
    return straight_through(near.round(), near)


def exact_steps(moduli: tuple[int, ...]) -> tuple[bool, ...]:
    """True for each n < 240 where n 240ths of a turn are p/q of it with q in ``moduli``."""
    reach = _reach(moduli)
    return tuple(n in reach for n in range(TURN))


def inexact_steps(
    steps: Tensor, exact: tuple[bool, ...], carry: Tensor | None, doc_index: Tensor | None
) -> Tensor:
    """Number of steps of each rotor so far that are none of the ``exact`` ones, at most
    ``FADED``; arguments and value as of :func:`prism.ops.counters.running_sum`."""
    table = torch.tensor(exact, dtype=steps.dtype, device=steps.device)
    with torch.no_grad():
        whole = steps.nan_to_num().round().long() % TURN
        return running_sum(1 - table[whole], carry, doc_index, MANY).clamp(max=FADED)


def _circle(count: Tensor, unit: float) -> Tensor:
    angle = count * unit
    return torch.cat([angle.cos(), angle.sin()], dim=-1)


def compare(unit: UnitInputs) -> Tensor:
    return above_zero(unit.a - unit.b)


def gate(unit: UnitInputs) -> Tensor:
    return unit.a * torch.sigmoid(unit.b)


def select(unit: UnitInputs) -> Tensor:
    first, second = unit.a.chunk(2, dim=-1)
    change = (first - second) * unit.signs[2]
    return torch.cat([second + change, first - change], dim=-1)


def shift(unit: UnitInputs) -> Tensor:
    return unit.a.unflatten(-1, (2, -1)).roll(1, dims=-1).flatten(-2)


def threshold(unit: UnitInputs) -> Tensor:
    return above_zero(unit.a - unit.theta)


def count(unit: UnitInputs) -> Tensor:
    shares = [on.mean(dim=-1, keepdim=True).expand_as(on) for on in unit.signs[:2]]
    return torch.cat(shares, dim=-1)


def latch(unit: UnitMoves) -> tuple[Tensor, Tensor]:
    parity = running_sum(unit.on, unit.carried.get("latch"), unit.doc_index, 2)
    sign = 1 - 2 * parity.detach()
    # one more flip turns s into -s: the finite difference is the gradient
    signed = straight_through(sign, -2 * sign * parity)
    return torch.cat([signed, signed * unit.second], dim=-1), parity


def flipflop(unit: UnitMoves) -> tuple[Tensor, Tensor]:
    held = hold(2 * unit.on - 1, unit.write, unit.carried.get("flipflop"), unit.doc_index)
    return torch.cat([held, held * unit.second], dim=-1), held


def counter(unit: UnitMoves) -> tuple[Tensor, Tensor]:
    total = saturating_sum(unit.steps, unit.carried.get("counter"), unit.doc_index, TURN // 2)
    return _circle(total, math.pi / TURN), total


def rotor(unit: UnitMoves) -> tuple[Tensor, Tensor]:
    total = running_sum(unit.steps, unit.carried.get("rotor"), unit.doc_index, TURN)
    point = _circle(total, 2 * math.pi / TURN)
    if unit.size is not None:
        point = point * torch.cat([unit.size, unit.size], dim=-1)
    return point, total


TOKEN_LIBRARY = {
    "compare": compare,
    "gate": gate,
    "select": select,
    "shift": shift,
    "threshold": threshold,
    "count": count,
}
CAUSAL_LIBRARY = {"latch": latch, "flipflop": flipflop, "counter": counter, "rotor": rotor}
