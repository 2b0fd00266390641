"""The symbolic library: what each primitive computes, as its definition says."""

import math

import pytest
import torch

from prism.config import PRIMITIVES, SymbolicConfig
from prism.model.primitives import CAUSAL_LIBRARY, TOKEN_LIBRARY, Lanes, angle_steps
from prism.model.symbolic import SymbolicMachine

UNITS = 3
MODULUS = torch.tensor([2.0, 3.0, 5.0]).double()


def lanes_of(length: int = 40) -> Lanes:
    """Random lanes of three units over two rows."""
    g = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 2, length, 2 * UNITS, generator=g).double()
    gate = torch.randn(2, length, UNITS, generator=g).double()
    theta = torch.randn(2 * UNITS, generator=g).double()
    return Lanes(a, b, angle_steps(a, gate, MODULUS), theta, MODULUS, None, {})


LANES = lanes_of()
A1, A2 = LANES.a.chunk(2, dim=-1)
B1 = LANES.b[..., :UNITS]
WANTED = {
    "compare": (LANES.a > LANES.b).double(),
    "gate": LANES.a / (1 + torch.exp(-LANES.b)),
    "select": torch.where(torch.cat([B1, B1], -1) > 0, LANES.a, torch.cat([A2, A1], -1)),
    "shift": torch.cat([A1[..., [2, 0, 1]], A2[..., [2, 0, 1]]], dim=-1),
    "threshold": (LANES.a > LANES.theta).double(),
    "count": torch.cat(
        [(x > 0).double().mean(-1, keepdim=True).expand_as(x) for x in (A1, A2)], dim=-1
    ),
}


def test_the_library_holds_every_name_that_a_config_may_ask_for():
    assert set(TOKEN_LIBRARY) | set(CAUSAL_LIBRARY) == set(PRIMITIVES)
    assert set(WANTED) == set(TOKEN_LIBRARY)


@pytest.mark.parametrize("name", WANTED)
def test_a_token_primitive_is_its_definition(name):
    assert (TOKEN_LIBRARY[name](LANES) - WANTED[name]).abs().max() <= 1e-12


def test_the_latch_changes_sign_at_every_event():
    pair, parity = CAUSAL_LIBRARY["latch"](LANES)
    events = (A1 > 0).long().cumsum(dim=1)
    assert torch.equal(parity, (events % 2).double())
    assert torch.equal(pair[..., :UNITS], 1.0 - 2.0 * (events % 2))


def test_the_flipflop_keeps_what_was_written_last():
    pair, held = CAUSAL_LIBRARY["flipflop"](LANES)
    state = torch.zeros(2, UNITS).double()
    for t in range(LANES.a.shape[1]):
        state = torch.where(B1[:, t] > 0, (A1[:, t] > 0).double(), state)
        assert torch.equal(held[:, t], state)
    assert torch.equal(pair[..., :UNITS], held)


@pytest.mark.parametrize("name", ("rotor", "counter"))
def test_the_counting_primitives_show_an_exact_count_as_a_point_on_a_circle(name):
    pair, total = CAUSAL_LIBRARY[name](LANES)
    count = torch.zeros(2, UNITS).double()
    for t in range(LANES.a.shape[1]):
        count = count + LANES.steps[:, t]
        count = count % MODULUS if name == "rotor" else count.clamp(min=0).minimum(MODULUS - 1)
        assert torch.equal(total[:, t], count)
    angle = total * 2 * math.pi / MODULUS
    assert torch.allclose(pair, torch.cat([angle.cos(), angle.sin()], dim=-1))


def test_steps_are_the_angle_in_parts_of_the_modulus_times_a_ternary_gate():
    turns = torch.tensor([1, 2, -2]) / torch.tensor([5, 5, 5])
    angle = 2 * math.pi * turns
    a = torch.cat([angle.cos(), angle.sin()]).view(1, 1, 6)
    modulus = torch.tensor([5.0, 5.0, 5.0])
    for gate, sign in ((1.3, 1), (0.6, 1), (0.3, 0), (-0.2, 0), (-5.0, -1)):
        steps = angle_steps(a, torch.full((1, 1, 3), gate), modulus)
        assert steps.flatten().tolist() == [sign * 1, sign * 2, sign * -2]


def test_no_angle_is_no_step_and_no_gradient_that_is_not_finite():
    a = torch.zeros(1, 1, 2, requires_grad=True)
    steps = angle_steps(a, torch.ones(1, 1, 1), torch.tensor([7.0]))
    steps.sum().backward()
    assert steps.item() == 0
    assert a.grad.isfinite().all()


@pytest.mark.parametrize("primitives", (PRIMITIVES, ("rotor",), ("count", "latch")))
@torch.no_grad()
def test_a_machine_picks_among_its_own_library_per_token_and_unit(primitives):
    machine = SymbolicMachine(8, SymbolicConfig(units=5, primitives=primitives))
    y, state, picked = machine(torch.randn(2, 6, 8), None, None)
    assert y.shape == (2, 6, 10)
    assert picked.shape == (2, 6, 5)
    assert picked.max() < len(primitives)
    assert set(state.registers) == set(primitives) & set(CAUSAL_LIBRARY)
