"""The scan whose time the token decides: equal to its loop, and to the fixed scan at pace 1."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.ops.decay import STEPPED_ROWS
from prism.ops.gated_scan import gated_scan, gated_scan_loop, input_scale, log_retention
from prism.ops.scan import decay_scan
from tests.ops.references import PRECISIONS, assert_same, document_indices, normal

LIVES = torch.tensor([0.25, 3.0, 1e5], dtype=torch.float64)


def passing(seed: int, *shape: int, spread: float = 3.0) -> torch.Tensor:
    """How much time passes at each token: between e^-8 and e^8, mostly near 1."""
    return (spread * normal(seed, *shape)).clamp(-8, 8).exp()


@given(
    length=st.integers(1, 41),
    chunk=st.sampled_from((1, 2, 3, 5, 16, 64)),
    rows=st.sampled_from((2, STEPPED_ROWS)),
    carried=st.booleans(),
    precision=st.sampled_from(PRECISIONS),
    data=st.data(),
)
def test_the_scan_is_the_loop_by_chunks_and_by_tokens(
    length, chunk, rows, carried, precision, data
):
    dtype, bar = precision
    doc_index = data.draw(document_indices(rows, length))
    log_a = log_retention(LIVES, passing(2, rows, length, 3, spread=1.0))
    inputs = [normal(0, rows, length, 3, 2), log_a, normal(1, rows, 3, 2)]
    assert_same(
        lambda z, a, carry: [gated_scan(z, a, carry if carried else None, doc_index, chunk)],
        lambda z, a, carry: [gated_scan_loop(z, a, carry if carried else None, doc_index)],
        [x.to(dtype) for x in inputs],
        bar,
    )


@given(length=st.integers(1, 41), chunk=st.sampled_from((2, 5, 32)), data=st.data())
def test_a_token_a_time_it_is_the_scan_of_fixed_rates(length, chunk, data):
    doc_index = data.draw(document_indices(2, length))
    lives = tuple(LIVES.tolist())
    log_a = log_retention(LIVES, torch.ones(2, length, 3).double())
    assert_same(
        lambda z, carry: [gated_scan(z, log_a, carry, doc_index, chunk)],
        lambda z, carry: [decay_scan(z, lives, carry, doc_index, chunk)],
        [normal(0, 2, length, 3, 2), normal(1, 2, 3, 2)],
        1e-10,
    )


def test_a_long_row_has_more_than_one_level_of_chunks():
    z, log_a = normal(0, 1, 5000, 3, 1), log_retention(LIVES, passing(1, 1, 5000, 3))
    difference = gated_scan(z, log_a, chunk=2) - gated_scan_loop(z, log_a)
    assert difference.abs().max() <= 1e-10


def test_time_that_passes_at_once_and_token_by_token_leaves_the_same():
    z = torch.zeros(1, 5, 3, 1).double()
    carry = torch.ones(1, 3, 1).double()
    slow = gated_scan(z, log_retention(LIVES, torch.ones(1, 5, 3).double()), carry)[:, -1]
    fast = gated_scan(z[:, :1], log_retention(LIVES, torch.full((1, 1, 3), 5.0).double()), carry)
    assert torch.allclose(slow, fast[:, -1], rtol=1e-12, atol=0)


def test_much_time_forgets_all_and_none_keeps_all():
    z, carry = torch.zeros(1, 1, 3, 1).double(), torch.ones(1, 3, 1).double()
    left = {pace: gated_scan(z, pace * log_retention(LIVES, torch.ones(1, 1, 3).double()), carry)
            for pace in (1e9, 1e-12)}  # fmt: skip
    assert left[1e9].abs().max() == 0
    assert (left[1e-12] - 1).abs().max() < 1e-10


def test_white_input_comes_out_with_unit_variance_whatever_the_pace():
    pace = passing(1, 64, 4000, 2, spread=1.0)
    log_a = log_retention(torch.tensor([0.25, 16.0]).double(), pace)
    h = gated_scan(normal(0, 64, 4000, 2, 4), log_a)
    assert torch.allclose(h[:, 2000:].var(dim=(0, 1, 3)), torch.ones(2).double(), rtol=0.1)


def test_the_scale_keeps_its_digits_where_the_retention_rounds_to_one():
    scale = input_scale(torch.tensor(-1e-20, dtype=torch.float64))
    assert scale.item() == pytest.approx(math.sqrt(2e-20), rel=1e-12)


@pytest.mark.parametrize("dtype", (torch.float32, torch.float64), ids=str)
@pytest.mark.parametrize("pace", (math.exp(-8), 1.0, math.exp(8)))
def test_extreme_rates_and_paces_stay_finite_over_a_long_row(dtype, pace):
    z = normal(0, 1, 16_384, 3, 1, dtype=dtype).requires_grad_()
    time = torch.full((1, 16_384, 3), pace, dtype=dtype).requires_grad_()
    h = gated_scan(z, log_retention(LIVES.to(dtype), time))
    h.sum().backward()
    assert h.isfinite().all()
    assert z.grad.isfinite().all()
    assert time.grad.isfinite().all()


PACKED = torch.tensor([[0, 0, 0, 1, 1, 2, 2]])


def small_scan(doc_index, chunk=3):
    """The scan of 7 tokens as a function of input, time and carry, and values for those."""
    lives = torch.tensor([0.6, 9.0]).double()
    shapes = ((1, 7, 2, 2), (1, 7, 2), (1, 2, 2))
    inputs = tuple(normal(i, *shape).requires_grad_() for i, shape in enumerate(shapes))

    def scan(z, time, carry):
        return gated_scan(z, log_retention(lives, time.exp()), carry, doc_index, chunk)

    return scan, inputs


@pytest.mark.parametrize("chunk", (2, 3, 8))
@pytest.mark.parametrize("doc_index", (None, PACKED), ids=("one", "packed"))
def test_first_and_second_gradients_agree_with_finite_differences(doc_index, chunk):
    scan, inputs = small_scan(doc_index, chunk)
    assert torch.autograd.gradcheck(scan, inputs)
    assert torch.autograd.gradgradcheck(scan, inputs)
    z, time, _ = inputs
    assert torch.autograd.gradgradcheck(lambda *x: scan(*x, None), (z, time))


@pytest.mark.parametrize("doc_index", (None, PACKED), ids=("one", "packed"))
def test_the_gradient_is_the_same_as_a_function_and_for_a_batch_of_functions(doc_index):
    scan, inputs = small_scan(doc_index)

    def loss(*x):
        return scan(*x).sin().sum()

    wanted = torch.autograd.grad(loss(*inputs), inputs)
    plain = tuple(x.detach() for x in inputs)
    as_function = torch.func.grad(loss, argnums=(0, 1, 2))
    for found, want in zip(as_function(*plain), wanted, strict=True):
        assert torch.allclose(found, want, rtol=1e-12, atol=1e-13)
    three = [torch.stack([x, 2 * x, -x]) for x in plain]
    batched = torch.func.vmap(as_function)(*three)
    for i in range(3):
        alone = as_function(*(x[i] for x in three))
        for found, want in zip(batched, alone, strict=True):
            assert torch.allclose(found[i], want, rtol=1e-12, atol=1e-13)
    outputs = torch.func.vmap(scan)(*three)
    assert torch.allclose(outputs[1], scan(*(x[1] for x in three)), rtol=1e-12, atol=1e-13)


@pytest.mark.filterwarnings("ignore")  # torch's own tracer warns about itself
@pytest.mark.parametrize("doc_index", (None, PACKED), ids=("one", "packed"))
def test_the_scan_is_traced_whole_with_its_gradient(doc_index):
    torch.compiler.reset()
    scan, inputs = small_scan(doc_index)
    compiled = torch.compile(scan, backend="aot_eager", fullgraph=True)
    found, wanted = (torch.autograd.grad(f(*inputs).sin().sum(), inputs) for f in (compiled, scan))
    for ours, theirs in zip(found, wanted, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-12, atol=1e-13)


def test_autocast_does_not_lower_the_precision_inside():
    z = normal(0, 1, 40, 3, 2, dtype=torch.float32)
    log_a = log_retention(LIVES, passing(1, 1, 40, 3)).float()
    wanted = gated_scan(z, log_a)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(gated_scan(z, log_a), wanted)
