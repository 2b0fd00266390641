"""Scan of soft counters: the loop is the recurrence with matrices."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.ops import matrix_scan as module
from prism.ops.matrix_scan import step_matrices, step_scan, step_scan_by_matrices
from tests.ops.references import PRECISIONS, assert_same, normal


def inputs_of(seed: int, length: int, size: int, reach: int) -> list[torch.Tensor]:
    return [
        normal(seed, 2, length, 3, 2 * reach + 1).softmax(-1),
        normal(seed + 1, 2, length, 3, size),
        normal(seed + 2, 2, 3, size),
    ]


@given(
    length=st.integers(1, 40),
    size=st.integers(2, 6),
    reach=st.integers(1, 4),
    precision=st.sampled_from(PRECISIONS),
    seed=st.integers(0, 99),
)
def test_the_loop_is_the_recurrence_with_matrices(length, size, reach, precision, seed):
    dtype, bar = precision
    inputs = [x.to(dtype) for x in inputs_of(seed, length, size, reach)]
    assert_same(lambda *x: [step_scan(*x)], lambda *x: [step_scan_by_matrices(*x)], inputs, bar)


def test_long_calls_of_many_rows_go_token_by_token(monkeypatch):
    inputs = [torch.cat([x, x]) for x in inputs_of(0, 20, 4, 2)]
    by_matrices = step_scan_by_matrices(*inputs)
    monkeypatch.setattr(module, "LOOPED", 10)
    monkeypatch.setattr(module._Scan, "apply", lambda *_: pytest.fail("by matrices"))
    assert (step_scan(*inputs) - by_matrices).abs().max() < 1e-12


def test_long_calls_go_by_matrices(monkeypatch):
    inputs = inputs_of(0, 70, 4, 2)
    looped = step_scan(*inputs)
    monkeypatch.setattr(module, "LOOPED", 40)
    monkeypatch.setattr(module._StepScan, "apply", lambda *_: pytest.fail("looped"))
    assert (step_scan(*inputs) - looped).abs().max() < 1e-12


def test_second_derivatives():
    inputs = [x.requires_grad_() for x in inputs_of(0, 4, 3, 1)]
    assert torch.autograd.gradgradcheck(step_scan, inputs)


def test_a_step_stops_at_the_ends():
    moves = step_matrices(4, 2, torch.zeros(1))
    assert moves[0].argmax(dim=1).tolist() == [0, 0, 0, 1]  # two down
    assert moves[3].argmax(dim=1).tolist() == [1, 2, 3, 3]  # one up
    assert torch.equal(moves.sum(dim=2), torch.ones(5, 4))
