"""The symbolic expert: exact machines beside the network.

Up to three machines read the embedded tokens e and give one vector s per token each:

    units          U discrete units, below
    dials          soft counters (:mod:`prism.model.symbolic.dial`)
    reflections    products of orthogonal matrices (:mod:`prism.model.symbolic.reflections`)

and beside them a lookup of what followed the last tokens before
(:mod:`prism.model.symbolic.suffix`), which needs no training to be right.

A unit reads four inputs; every token picks one primitive of the library per unit by a hard choice
whose gradient is that of the softmax (straight-through):

    inputs(t)  = r W e(t),                                          r = unit_input_rate
    score_u(t) = A_u tanh(inputs_u(t)) + preference_u
    y_u(t)     = primitive_{argmax score_u(t)} (inputs_u(t)),           s_units = W_out y

The machines read the token and nothing of its context. In the residual stream a token's angle would
depend on its context, and a step that is rounded differently once is wrong for ever; a machine that
counts right once counts right at any length.

The blocks read the sum of what the machines give: each weighs it by channel, its router by token.
Without ``answers``, e is the token's normalised embedding in the network, the machines write to the
stream (d = D), and the network trains them.

With ``answers`` a machine reads fixed codes of the tokens (:mod:`prism.model.symbolic.codes`) and
answers alone, with logits ``g s code^T / sqrt(d)`` (:mod:`prism.model.symbolic.answer`); the blocks
read ``L norm(s_units + s_dials)``. It is trained by the cross-entropy of its own answer and by
nothing else. The network learns a rough solution sooner than a machine an exact one, and one
machine sooner than another: a gradient that they shared would keep each from what only it can find.

State advances with every token whatever was picked, so choosing is only reading. The unit inputs
start large: an angle does not depend on their size, so a larger start is a smaller relative step of
the optimiser, and early noise cannot erase a solution. The weights start 1/r as large, and AdamW's
step does not depend on the size of a weight: r is the learning rate of the input projection as a
share of the others' (weight decay, which does, is not slowed).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from prism.config import SymbolicConfig
from prism.model.norm import promote
from prism.model.state import Leaf, State
from prism.model.symbolic.codes import EACH_TOKEN, Spread, token_codes
from prism.model.symbolic.dial import Dials, DialState
from prism.model.symbolic.primitives import (
    CAUSAL_LIBRARY,
    TOKEN_LIBRARY,
    UnitInputs,
    UnitMoves,
    angle_steps,
    exact_steps,
    first_choices,
    inexact_steps,
    snap_table,
    ternary,
)
from prism.model.symbolic.reflections import Reflections, ReflectionState
from prism.model.symbolic.suffix import SuffixLookup, SuffixState
from prism.ops.choice import hard_choice, hard_choice_by_id
from prism.ops.documents import RowEnds, last_real, shift_right

INPUT_STD = 2.2  # of the inputs a; the gate inputs b start 1/16 of it
# A code's entries all move an output: a step of AdamW is as many times larger. At full size dials
# harden before their positions are in order (docs/LOG.md).
DIAL_INPUT = 0.25
ANSWER_GAIN = {"reflections": 4.0}
FIRST_PREFERENCE = 2.0  # head start of a unit's first primitive, in logits


@dataclass
class SymbolicState(State):
    """State of one symbolic expert.

    Attributes:
        gate: ``[B, U]`` last token's input b2, which gates the step of the next.
        primitives: ``[B, U]`` per causal primitive, by name.
        inexact: ``[B, U]`` inexact steps of each rotor; None where rotors do not fade.
        dials, reflections, suffix: of these parts; None without.
    """

    gate: Tensor
    primitives: dict[str, Tensor]
    inexact: Tensor | None = None
    dials: DialState | None = None
    reflections: ReflectionState | None = None
    suffix: SuffixState | None = None


class SymbolicRun(NamedTuple):
    """Result of the machine on one call.

    Attributes:
        answers: ``[B, T, d]`` of each machine, s, by name; None without ``answers``.
        output: ``[B, T, D]`` what the blocks read.
        state: after the last token.
        picked: ``[B, T, U]`` index of the primitive that each unit took.
    """

    answers: dict[str, Tensor] | None
    output: Tensor
    state: SymbolicState
    picked: Tensor


class SymbolicMachine(nn.Module):
    """Args: ``vocab_size`` V; ``dim`` D of the stream; ``config``."""

    def __init__(self, vocab_size: int, dim: int, config: SymbolicConfig) -> None:
        super().__init__()
        self.config = config
        width, wide = dim, dim
        if config.answers:
            width, wide = config.width, config.reflection_width
        self.snaps = snap_table(config.moduli)
        self.fades = config.fade < 1 and "rotor" in config.primitives
        self.exact = exact_steps(config.moduli)
        self.input_rate = 1.0 if config.unit_input_rate is None else config.unit_input_rate
        units, choices = config.units, len(config.primitives)
        self.read = nn.Linear(width, 4 * units, bias=False)
        self.gate_start = nn.Parameter(torch.ones(units))
        self.theta = nn.Parameter(torch.zeros(2 * units))
        self.choice = nn.Parameter(torch.zeros(choices, 4, units))
        self.preference = nn.Parameter(torch.zeros(choices, units))
        self.write = nn.Linear(2 * units, width, bias=False)
        self._reset(width)
        self.dials = None
        if config.dials:
            self.dials = Dials(width, config.dials, config.dial_positions, config.dial_reach)
        self.reflections = None
        if config.reflections:
            self.reflections = Reflections(wide, config.reflections, config.reflection_size)
        self.suffix = None
        if config.suffixes:
            self.suffix = SuffixLookup(dim, config.suffixes, config.suffix_slots)
        self.lift = None
        if config.answers:
            self.lift = nn.Linear(width, dim, bias=False)
            nn.init.normal_(self.lift.weight, std=width**-0.5)
            self.register_buffer("code", token_codes(vocab_size, width))
            if config.reflections:
                self.register_buffer("wide_code", token_codes(vocab_size, wide))

    @property
    def beside(self) -> tuple[str, ...]:
        """Names of the machines beside the units."""
        return tuple(n for n in ("dials", "reflections") if getattr(self, n) is not None)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all machines."""
        return ("units", *self.beside)

    def trained_apart(self) -> list[list[nn.Parameter]]:
        """Parameters of each machine that answers. What the network reads of them, and looks up,
        it trains itself."""
        beside = [list(getattr(self, name).parameters()) for name in self.beside]
        network = ("lift.", "suffix.", *(f"{name}." for name in self.beside))
        units = [p for name, p in self.named_parameters() if not name.startswith(network)]
        return [units, *beside]

    @torch.no_grad()
    def _reset(self, width: int) -> None:
        units = self.config.units
        nn.init.normal_(self.read.weight, std=INPUT_STD * width**-0.5)
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
            units if self.fades else None,
            None if self.dials is None else self.dials.like,
            None if self.reflections is None else self.reflections.like,
            None if self.suffix is None else self.suffix.like,
        )

    def forward(
        self,
        tokens: Tensor,
        symbols: Tensor,
        embed: Callable[[Tensor], Tensor],
        state: SymbolicState | None,
        doc_index: Tensor | None,
        ends: RowEnds | None = None,
    ) -> SymbolicRun:
        """Run on ``tokens [B, T]``.

        Args:
            symbols: ``[B, T, D]`` their normalised embeddings in the network.
            embed: the same of any ids.
            state: of the call before; None at the start.
            doc_index: ``[B, T]`` document index of each token or None.
            ends: where the real tokens of each row end; None = at T.
        """
        inputs, spread = self._inputs(tokens, symbols)
        found, after, picked = self._units(inputs["units"], spread, state, doc_index, ends)
        every = {"units": found}
        for name in self.beside:
            before = None if state is None else getattr(state, name)
            machine = getattr(self, name)
            every[name], carried = machine(inputs[name], before, doc_index, ends, spread)
            setattr(after, name, carried)
        if self.lift is None:
            answers, output = None, sum(every.values())
        else:  # the blocks read the counters, and do not train them
            read = sum(x.detach() for name, x in every.items() if name != "reflections")
            answers, output = every, self.lift(_normalised(read))
        if self.suffix is not None:
            before = None if state is None else state.suffix
            every = None if spread.ids is None else torch.arange(len(self.code)).to(tokens)
            found, after.suffix = self.suffix(tokens, embed, before, doc_index, ends, every)
            output = output + found.to(output.dtype)
        return SymbolicRun(answers, output, after, picked)

    def _inputs(self, tokens: Tensor, symbols: Tensor) -> tuple[dict[str, Tensor], Spread]:
        """Input of each machine, and how what it makes of that goes to the tokens: ``symbols``, or
        codes, of all ids in a call that has as many tokens."""
        if self.lift is None:
            return dict.fromkeys(self.names, symbols.to(self.read.weight.dtype)), EACH_TOKEN
        gains = {"dials": DIAL_INPUT}
        codes = {n: self.codes(n) * gains.get(n, 1.0) for n in self.names}
        if not torch.compiler.is_compiling() and tokens.numel() >= len(self.code):
            return codes, Spread(tokens)
        return {n: functional.embedding(tokens, code) for n, code in codes.items()}, EACH_TOKEN

    def codes(self, name: str) -> Tensor:
        """Codes ``[V, d]`` that machine ``name`` reads and answers in."""
        return self.wide_code if name == "reflections" else self.code

    def resize(self, vocab_size: int) -> None:
        """Codes of ``vocab_size`` tokens; those that were there stay."""
        for name in ("code", "wide_code"):
            old = getattr(self, name, None)
            if old is not None:
                setattr(self, name, token_codes(vocab_size, old.shape[1]).to(old))

    def logits(self, answers: dict[str, Tensor]) -> tuple[Tensor, ...]:
        """``[B, T, V]`` of each of the answers ``[B, T, d]`` of the machines by name."""
        each = []
        for name, answer in answers.items():
            code = self.codes(name)
            gain = ANSWER_GAIN.get(name, 1.0) * code.shape[1] ** -0.5
            each.append(functional.linear(answer * gain, code))
        return tuple(each)

    def _units(
        self,
        e: Tensor,
        spread: Spread,
        state: SymbolicState | None,
        doc_index: Tensor | None,
        ends: RowEnds | None,
    ) -> tuple[Tensor, SymbolicState, Tensor]:
        """Their share of the answer, their state, and the primitive that each picked."""
        raw = promote(self.read(e))  # [B, T, 4 U], or [V, 4 U]
        if self.input_rate != 1.0:
            raw = raw * self.input_rate
        a, b = raw.chunk(2, dim=-1)
        inputs = UnitInputs(a, b, self.theta.to(raw.dtype))
        on, _, write = inputs.signs
        second, made = a.chunk(2, dim=-1)[1], angle_steps(a, self.snaps)
        angle, on, write, second, now, following = spread(
            made, on, write, second, *b.chunk(2, dim=-1)
        )
        gate, carried = (None, {}) if state is None else (state.gate, state.primitives)
        steps = angle * ternary(self.gate_start + now + shift_right(following, gate, doc_index))
        moves = UnitMoves(on, write, second, steps, doc_index, carried)
        inexact = None
        if self.fades:
            before = None if state is None else state.inexact
            count = inexact_steps(steps, self.exact, before, doc_index)
            moves.size = self.config.fade**count
            inexact = last_real(count, before, ends)
        results, after = [], {}
        for name in self.config.primitives:
            if name in CAUSAL_LIBRARY:
                pair, total = CAUSAL_LIBRARY[name](moves)
                after[name] = last_real(total, carried.get(name), ends)
            else:
                pair = TOKEN_LIBRARY[name](inputs)
            results.append(pair)
        if spread.ids is None:
            features, picked = hard_choice(self._scores(raw), results)
        else:
            features, picked = hard_choice_by_id(self._scores(raw), results, spread.ids)
        output = self.write(features.to(self.write.weight.dtype))
        return output, SymbolicState(last_real(following, gate, ends), after, inexact), picked

    def _scores(self, raw: Tensor) -> Tensor:
        """Score of each primitive for each unit, ``[.., P, U]``, from its own four inputs."""
        choice, preference = self.choice.to(raw.dtype), self.preference.to(raw.dtype)  # [P, 4, U]
        primitives, inputs, units = choice.shape
        near = torch.tanh(raw)
        if raw.shape[-2] == 1:  # one token: no matrix is worth making
            each = near.unflatten(-1, (1, inputs, units)) * choice
            return each.sum(dim=-2) + preference
        # one matrix with the units on its diagonals: a plain product is faster than U small ones
        weight = torch.diag_embed(choice.transpose(0, 1)).transpose(1, 2)  # [4, U, P, U]
        weight = weight.reshape(inputs * units, primitives * units)
        score = torch.addmm(preference.flatten(), near.flatten(0, -2), weight)
        return score.view(*raw.shape[:-1], primitives, units)


def _normalised(x: Tensor) -> Tensor:
    """``x [.., d]`` with mean square 1."""
    return nn.functional.rms_norm(promote(x), (x.shape[-1],)).to(x.dtype)
