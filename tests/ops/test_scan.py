"""The decay scan: equal to its loop, exact half-lives, unit variance, nothing overflows."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.ops.scan import decay_scan, decay_scan_loop, rates
from tests.ops.references import PRECISIONS, assert_same, document_indices, normal

LIVES = (0.25, 1.0, 7.3, 300.0, 1e5)


@given(
    length=st.integers(1, 41),
    chunk=st.sampled_from((1, 2, 3, 5, 16, 64)),
    lives=st.lists(st.floats(0.05, 1e6), min_size=1, max_size=4).map(tuple),
    precision=st.sampled_from(PRECISIONS),
    data=st.data(),
)
def test_the_chunked_scan_is_the_loop(length, chunk, lives, precision, data):
    dtype, bar = precision
    doc_index = data.draw(document_indices(2, length))
    z, carry = normal(0, 2, length, len(lives), 3, dtype=dtype), normal(1, 2, len(lives), 3)
    assert_same(
        lambda z, carry: [decay_scan(z, lives, carry, doc_index, chunk)],
        lambda z, carry: [decay_scan_loop(z, lives, carry, doc_index)],
        [z, carry.to(dtype)],
        bar,
    )


@pytest.mark.parametrize("half_life", (0.25, 0.5, 1.0, 3.0, 100.0, 1e5))
def test_the_impulse_response_halves_after_one_half_life(half_life):
    tokens = max(1, int(half_life))
    z = torch.zeros(1, tokens + 1, 1, 1, dtype=torch.float64)
    z[:, 0] = 1
    h = decay_scan(z, (half_life,))[0, :, 0, 0]
    assert (h[-1] / h[0]).item() == pytest.approx(2 ** (-tokens / half_life), rel=1e-6)


def test_white_input_comes_out_with_unit_variance_at_every_rate():
    h = decay_scan(normal(0, 64, 4000, 4, 4), (0.25, 2.0, 16.0, 128.0))
    assert torch.allclose(h[:, 2000:].var(dim=(0, 1, 3)), torch.ones(4).double(), rtol=0.1)


def test_the_scale_keeps_its_digits_where_the_retention_rounds_to_one():
    _, scale = rates((1e15,))
    assert scale.item() ** 2 == pytest.approx(2 * 0.6931471805599453 * 1e-15, rel=1e-9)


@pytest.mark.parametrize("dtype", (torch.float32, torch.float64), ids=str)
def test_extreme_rates_stay_finite_over_a_long_row(dtype):
    z = normal(0, 1, 16_384, len(LIVES), 1, dtype=dtype).requires_grad_()
    h = decay_scan(z, LIVES)
    h.sum().backward()
    assert h.isfinite().all()
    assert z.grad.isfinite().all()


def test_gradients_agree_with_finite_differences():
    doc_index = torch.tensor([[0, 0, 0, 1, 1, 2, 2]])
    z, carry = normal(0, 1, 7, 2, 2).requires_grad_(), normal(1, 1, 2, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda *x: decay_scan(*x, doc_index, 3), (z, (0.6, 9.0), carry))


@pytest.mark.parametrize("chunk", (1, 2, 3))
def test_the_smallest_chunks_reach_any_length(chunk):
    z = normal(0, 1, 3000, 1, 1)
    difference = decay_scan(z, (5.0,), chunk=chunk) - decay_scan(z, (5.0,))
    assert difference.abs().max() <= 1e-10
