"""Counters and flip-flops: each equals the step-by-step machine, to the bit, and its gradients."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.ops.counters import (
    hold,
    machine_loop,
    running_sum,
    saturating_sum,
    straight_through,
)
from prism.ops.decay import STEPPED_ROWS
from tests.ops.references import assert_same, document_indices, normal

BOUNDS = (2, 3, 5, 16)
UNITS = 4


def steps_of(seed: int, length: int, rows: int = 2) -> torch.Tensor:
    """Integer-valued steps ``[B, T, U]`` in -4 .. 4."""
    return normal(seed, rows, length, UNITS).mul(2).round().clamp(-4, 4)


def carry_of(seed: int, rows: int = 2) -> torch.Tensor:
    """Counts ``[B, U]``, 0 or 1, which every bound allows."""
    return (normal(seed, rows, UNITS) > 0).double()


SUMS = {"running": running_sum, "saturating": saturating_sum}


@pytest.mark.parametrize("kind", SUMS)
@pytest.mark.parametrize("bound", BOUNDS)
@given(
    length=st.integers(1, 40),
    rows=st.sampled_from((2, STEPPED_ROWS)),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_a_sum_is_its_machine(kind, bound, length, rows, seed, data):
    doc_index = data.draw(document_indices(rows, length))
    assert_same(
        lambda n, c: [SUMS[kind](n, c, doc_index, bound)],
        lambda n, c: [machine_loop(kind, n, c, doc_index, bound)],
        [steps_of(seed, length, rows), carry_of(seed, rows)],
        1e-10,
    )


@given(length=st.integers(1, 40), seed=st.integers(0, 99), data=st.data())
def test_a_latch_is_its_machine(length, seed, data):
    doc_index = data.draw(document_indices(2, length))
    write = (normal(seed, 2, length, UNITS) > 0.5).double()
    assert_same(
        lambda v, w, c: [hold(v, w, c, doc_index)],
        lambda v, w, c: [machine_loop("hold", v, c, doc_index, write=w)],
        [normal(seed + 1, 2, length, UNITS), write, normal(seed + 2, 2, UNITS)],
        1e-10,
    )


@pytest.mark.parametrize("kind", SUMS)
@given(length=st.integers(2, 30), seed=st.integers(0, 99), data=st.data())
def test_a_sum_continues_from_its_last_count(kind, length, seed, data):
    at = data.draw(st.integers(1, length - 1))

    def in_two(steps, carry):
        first = SUMS[kind](steps[:, :at], carry, None, 5)
        second = SUMS[kind](steps[:, at:], first[:, -1], None, 5)
        return [torch.cat([first, second], dim=1)]

    def at_once(steps, carry):
        return [SUMS[kind](steps, carry, None, 5)]

    assert_same(in_two, at_once, [steps_of(seed, length), carry_of(seed)], 1e-10)


@pytest.mark.parametrize("dtype", (torch.float32, torch.float64), ids=str)
@pytest.mark.parametrize("kind", SUMS)
def test_counts_stay_whole_numbers_over_a_long_row(kind, dtype):
    steps = torch.full((1, 16_384, 1), 7.0, dtype=dtype)
    counts = SUMS[kind](steps, None, None, 16)[0, :, 0]
    exact = 7 * torch.arange(1, 16_385)
    wanted = exact % 16 if kind == "running" else exact.clamp(max=16)
    assert torch.equal(counts, wanted.to(dtype))


def test_a_saturating_sum_is_no_modulus_and_does_not_remember_what_it_cut():
    steps = torch.tensor([[[3.0], [3.0], [-1.0], [-9.0], [1.0]]])
    counts = saturating_sum(steps, None, None, 4)
    assert counts[0, :, 0].tolist() == [3, 4, 3, -4, -3]


def test_straight_through_has_the_hard_value_to_the_bit_and_the_soft_gradient():
    soft = torch.tensor([0.1, 1e9, -3.7], requires_grad=True)
    value = straight_through(soft.round(), 3 * soft)
    assert torch.equal(value, soft.round())
    assert torch.equal(torch.autograd.grad(value.sum(), soft)[0], torch.full((3,), 3.0))
