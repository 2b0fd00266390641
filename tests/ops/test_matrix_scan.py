"""The recurrence with a small matrix per token: equal to its loop on either side of the chunks."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.ops.matrix_scan import CHUNK, LOOPED, matrix_scan, matrix_scan_loop
from tests.ops.references import PRECISIONS, assert_same, normal

LENGTHS = (1, 2, CHUNK, LOOPED, LOOPED + 1, 3 * CHUNK - 1, 3 * CHUNK, 130)


def orthogonal(seed: int, *shape: int) -> torch.Tensor:
    return torch.linalg.qr(normal(seed, *shape)).Q


@pytest.mark.parametrize("length", LENGTHS)
@given(
    rows=st.integers(1, 3),
    size=st.integers(1, 3),
    kept=st.sampled_from((0.5, 1.0)),
    precision=st.sampled_from(PRECISIONS),
    seed=st.integers(0, 99),
)
def test_the_scan_is_the_loop(length, rows, size, kept, precision, seed):
    dtype, bar = precision
    inputs = [
        kept * orthogonal(seed, 2, length, 2, size, size),
        normal(seed + 1, 2, length, 2, rows, size),
        normal(seed + 2, 2, 2, rows, size),
    ]
    assert_same(
        lambda *x: [matrix_scan(*x)],
        lambda *x: [matrix_scan_loop(*x)],
        [x.to(dtype) for x in inputs],
        bar,
    )


@given(cut=st.integers(1, 89))
def test_calls_that_carry_the_state_are_one_call(cut):
    def in_two(matrices, inputs, start):
        first = matrix_scan(matrices[:, :cut], inputs[:, :cut], start)
        return [
            torch.cat([first, matrix_scan(matrices[:, cut:], inputs[:, cut:], first[:, -1])], 1)
        ]

    inputs = [orthogonal(0, 1, 90, 2, 3, 3), normal(1, 1, 90, 2, 2, 3), normal(2, 1, 2, 2, 3)]
    assert_same(in_two, lambda *x: [matrix_scan(*x)], inputs, 1e-10)


@pytest.mark.parametrize("at", (0, 1, CHUNK - 1, CHUNK, 69))
def test_a_zero_matrix_forgets_all_that_was_before(at):
    matrices, inputs = orthogonal(0, 1, 70, 1, 3, 3), normal(1, 1, 70, 1, 2, 3)
    matrices[:, at] = 0
    p = matrix_scan(matrices, inputs, normal(2, 1, 1, 2, 3))
    alone = matrix_scan(matrices[:, at:], inputs[:, at:], torch.zeros(1, 1, 2, 3).double())
    assert torch.allclose(p[:, at:], alone, rtol=0, atol=1e-12)


def test_products_of_permutations_stay_permutations_at_any_length():
    g = torch.Generator().manual_seed(0)
    order = torch.stack([torch.randperm(5, generator=g) for _ in range(16_384)])
    matrices = torch.eye(5)[order][None, :, None]
    one = torch.eye(5)[None, None]
    p = matrix_scan(matrices, torch.zeros_like(matrices), one)
    place = torch.arange(5)
    for each in order:
        place = each[place]
    assert torch.equal(p[0, -1, 0], torch.eye(5)[place])


@pytest.mark.parametrize("length", (3, LOOPED + 2))
def test_gradients_agree_with_finite_differences(length):
    shapes = ((1, length, 1, 2, 2), (1, length, 1, 1, 2), (1, 1, 1, 2))
    inputs = [0.5 * normal(i, *shape) for i, shape in enumerate(shapes)]
    assert torch.autograd.gradcheck(matrix_scan, [x.requires_grad_() for x in inputs])


@pytest.mark.parametrize("length", (1, 3, LOOPED + 2))
def test_autocast_does_not_lower_the_precision_inside(length):
    matrices = orthogonal(0, 1, length, 1, 3, 3).float()
    inputs, start = normal(1, 1, length, 1, 2, 3).float(), normal(2, 1, 1, 2, 3).float()
    wanted = matrix_scan(matrices, inputs, start)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(matrix_scan(matrices, inputs, start), wanted)


def test_what_has_faded_is_nothing_and_no_denormal_number():
    one = torch.eye(3)[None, None]
    p = matrix_scan(0.1 * one.expand(1, 60, 1, 3, 3), torch.zeros(1, 60, 1, 3, 3), one)
    assert p[0, 28].amax() > 1e-30
    assert p[0, 31:].count_nonzero() == 0
