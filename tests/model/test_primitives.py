"""The symbolic library: what each primitive computes, as its definition says."""

import math

import pytest
import torch
from torch import nn

from prism.config import PRIMITIVES, TURN, SymbolicConfig
from prism.model.symbolic import SymbolicMachine
from prism.model.symbolic.primitives import (
    CAUSAL_LIBRARY,
    FADED,
    TOKEN_LIBRARY,
    UnitInputs,
    UnitMoves,
    angle_steps,
    exact_steps,
    inexact_steps,
    snap_table,
    snap_width,
    ternary,
)

UNITS = 3
MODULI = (2, 3, 5)
SNAPS = snap_table(MODULI)


def inputs_of(length: int = 40) -> tuple[UnitInputs, UnitMoves]:
    """Random inputs of three units over two rows, and what they give those that carry state."""
    g = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 2, length, 2 * UNITS, generator=g).double()
    gate = torch.randn(2, length, UNITS, generator=g).double()
    theta = torch.randn(2 * UNITS, generator=g).double()
    inputs = UnitInputs(a, b, theta)
    on, _, write = inputs.signs
    steps = angle_steps(a, SNAPS) * ternary(gate)
    return inputs, UnitMoves(on, write, a.chunk(2, dim=-1)[1], steps, None, {})


INPUTS, MOVES = inputs_of()
A1, A2 = INPUTS.a.chunk(2, dim=-1)
B1 = INPUTS.b[..., :UNITS]
WANTED = {
    "compare": (INPUTS.a > INPUTS.b).double(),
    "gate": INPUTS.a / (1 + torch.exp(-INPUTS.b)),
    "select": torch.where(torch.cat([B1, B1], -1) > 0, INPUTS.a, torch.cat([A2, A1], -1)),
    "shift": torch.cat([A1[..., [2, 0, 1]], A2[..., [2, 0, 1]]], dim=-1),
    "threshold": (INPUTS.a > INPUTS.theta).double(),
    "count": torch.cat(
        [(x > 0).double().mean(-1, keepdim=True).expand_as(x) for x in (A1, A2)], dim=-1
    ),
}


def test_the_library_holds_every_name_that_a_config_may_ask_for():
    assert set(TOKEN_LIBRARY) | set(CAUSAL_LIBRARY) == set(PRIMITIVES)
    assert set(WANTED) == set(TOKEN_LIBRARY)


@pytest.mark.parametrize("name", WANTED)
def test_a_token_primitive_is_its_definition(name):
    assert (TOKEN_LIBRARY[name](INPUTS) - WANTED[name]).abs().max() <= 1e-12


def test_the_latch_changes_sign_at_every_event():
    pair, parity = CAUSAL_LIBRARY["latch"](MOVES)
    events = (A1 > 0).long().cumsum(dim=1)
    assert torch.equal(parity, (events % 2).double())
    assert torch.equal(pair[..., :UNITS], 1.0 - 2.0 * (events % 2))


def test_the_flipflop_keeps_what_was_written_last():
    pair, held = CAUSAL_LIBRARY["flipflop"](MOVES)
    state = torch.zeros(2, UNITS).double()
    for t in range(INPUTS.a.shape[1]):
        state = torch.where(B1[:, t] > 0, A1[:, t].sign(), state)
        assert torch.equal(held[:, t], state)
    assert torch.equal(pair[..., :UNITS], held)


@pytest.mark.parametrize("name", ("rotor", "counter"))
def test_the_counting_primitives_show_an_exact_count_as_a_point_on_a_circle(name):
    pair, total = CAUSAL_LIBRARY[name](MOVES)
    count = torch.zeros(2, UNITS).double()
    for t in range(INPUTS.a.shape[1]):
        count = count + MOVES.steps[:, t]
        count = count % TURN if name == "rotor" else count.clamp(-TURN / 2, TURN / 2)
        assert torch.equal(total[:, t], count)
    angle = total * math.pi / TURN * (2 if name == "rotor" else 1)
    assert torch.allclose(pair, torch.cat([angle.cos(), angle.sin()], dim=-1))


def test_a_rotor_shrinks_with_every_step_that_is_no_simple_fraction():
    steps = torch.tensor([0, 48, 53, -80, 240, -53, 1, 1]).double()[None, :, None]
    count = inexact_steps(steps, exact_steps(MODULI), None, None)
    assert count.flatten().tolist() == [0, 0, 1, 1, 1, 2, 3, 4]
    none = torch.zeros_like(steps)
    moves = UnitMoves(none, none, none, steps, None, {}, 0.5**count)
    pair, total = CAUSAL_LIBRARY["rotor"](moves)
    angle = total * 2 * math.pi / TURN
    assert torch.allclose(pair, torch.cat([angle.cos(), angle.sin()], dim=-1) * 0.5**count)


def test_inexact_steps_are_counted_by_document_over_calls_and_no_further_than_needed():
    doc_index = torch.tensor([[0, 0, 1, 1]])
    carry, steps = torch.tensor([[5.0]]), torch.full((1, 4, 1), 53.0)
    count = inexact_steps(steps, exact_steps(MODULI), carry, doc_index)
    assert count.flatten().tolist() == [6, 7, 1, 2]
    many = inexact_steps(steps, exact_steps(MODULI), torch.tensor([[float(FADED)]]), None)
    assert many.flatten().tolist() == [FADED] * 4


@pytest.mark.parametrize("fade", (0.95, 1.0))
def test_a_machine_whose_rotors_do_not_fade_has_no_count_of_inexact_steps(fade):
    like = SymbolicMachine(5, 8, SymbolicConfig(fade=fade)).like
    assert (like.inexact is None) == (fade == 1.0)


def lanes_at(turns: torch.Tensor) -> torch.Tensor:
    """``a [1, 1, 2 U]`` that points to these parts of a turn."""
    angle = 2 * math.pi * turns
    return torch.cat([angle.cos(), angle.sin()]).view(1, 1, -1)


def test_steps_are_the_angle_on_the_grid_times_a_ternary_gate():
    a = lanes_at(torch.tensor([1, 2, -2]) / 5)
    for gate, sign in ((1.3, 1), (0.6, 1), (0.3, 0), (-0.2, 0), (-5.0, -1)):
        steps = angle_steps(a, SNAPS) * ternary(torch.full((1, 1, 3), gate))
        assert steps.flatten().tolist() == [sign * 48, sign * 96, sign * -96]


def test_a_step_near_a_simple_fraction_snaps_to_it_and_another_stays():
    near, far = (1 / 5 + 3.4 / TURN), (1 / 5 + 9.0 / TURN)
    steps = angle_steps(lanes_at(torch.tensor([near, far, -near])), SNAPS)
    assert steps.flatten().tolist() == [48, 57, -48]


@pytest.mark.parametrize("moduli", ((2,), (3, 5), (2, 3, 4, 5, 6), (16,)))
def test_the_snap_table_leads_to_fractions_only_and_leaves_them_alone(moduli):
    fractions = {TURN * p // q for q in moduli for p in range(q)}
    reach = max(snap_width(q) for q in range(1, 17))
    for n, way in enumerate(snap_table(moduli)):
        assert abs(way) <= reach
        assert way == 0 or (n + way) % TURN in fractions
        assert n not in fractions or way == 0


def test_no_angle_is_no_step_and_no_gradient_that_is_not_finite():
    a = torch.zeros(1, 1, 2, requires_grad=True)
    steps = angle_steps(a, SNAPS)
    steps.sum().backward()
    assert steps.item() == 0
    assert a.grad.isfinite().all()


@pytest.mark.parametrize("answers", (False, True))
@pytest.mark.parametrize("primitives", (PRIMITIVES, ("rotor",), ("count", "latch")))
@torch.no_grad()
def test_a_machine_picks_among_its_own_library_per_token_and_unit(primitives, answers):
    config = SymbolicConfig(
        answers=answers, units=5, primitives=primitives, width=7, dials=2, reflections=0
    )
    machine = SymbolicMachine(11, 8, config)
    tokens = torch.randint(11, (2, 6))
    answer, y, state, picked = machine(
        tokens, torch.randn(2, 6, 8), nn.Embedding(11, 8), None, None
    )
    assert y.shape == (2, 6, 8)
    assert machine.names == ("units", "dials")
    assert (answer is not None) == answers
    if answers:
        assert {name: x.shape for name, x in answer.items()} == dict.fromkeys(answer, (2, 6, 7))
        assert len(answer) == 2
        assert [x.shape for x in machine.logits(answer)] == [(2, 6, 11)] * 2
    assert picked.shape == (2, 6, 5)
    assert picked.max() < len(primitives)
    assert set(state.primitives) == set(primitives) & set(CAUSAL_LIBRARY)


def test_the_step_of_nonsense_is_nonsense_and_no_crash() -> None:
    a = torch.full((1, 2, 2), math.nan)
    assert angle_steps(a, SNAPS).isnan().all()
