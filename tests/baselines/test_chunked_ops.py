"""The chunked recurrences are their plain time loops: values, states, gradients, documents."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.ops.gated_delta import gated_delta, gated_delta_loop
from prism.ops.ssd import ssd, ssd_loop

OPS = {"ssd": (ssd, ssd_loop), "gated_delta": (gated_delta, gated_delta_loop)}


def draw(op: str, seed: int, length: int, dtype: torch.dtype, half_life: float, packed: bool):
    """Inputs, carried state and document indices of one op: batch 2, 2 heads."""
    g = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(2, *shape, generator=g, dtype=torch.float64)

    log_decay = -normal(length, 2).abs() * 0.7 / half_life
    if op == "ssd":
        inputs = [normal(length, 2, 3), log_decay, normal(length, 4), normal(length, 4)]
        state = normal(4, 2, 3)
    else:
        q, k = (torch.nn.functional.normalize(normal(length, 2, 4), dim=-1) for _ in range(2))
        beta = 2 * torch.sigmoid(normal(length, 2))
        inputs = [q, k, normal(length, 2, 3), log_decay, beta]
        state = normal(2, 4, 3)
    starts = torch.rand(2, length, generator=g) < 0.15
    doc_index = starts.long().cumsum(dim=1) if packed else None
    leaves = [z.to(dtype).requires_grad_() for z in (*inputs, state)]
    return leaves[:-1], leaves[-1], doc_index


def results_and_gradients(op, inputs, state, doc_index, **options):
    output, last = op(*inputs, state=state, doc_index=doc_index, **options)
    weight = torch.linspace(-1, 1, output.numel(), dtype=output.dtype).view_as(output)
    loss = (output * weight).sum() + last.square().sum()
    return [output, last, *torch.autograd.grad(loss, [*inputs, state])]


@pytest.mark.parametrize("name", OPS)
@given(
    seed=st.integers(0, 999),
    length=st.integers(1, 40),
    chunk=st.integers(1, 16),
    half_life=st.sampled_from([0.02, 2.0, 4096.0]),
    packed=st.booleans(),
)
def test_chunks_equal_the_loop_in_fp64(name, seed, length, chunk, half_life, packed):
    fast, plain = OPS[name]
    inputs, state, doc_index = draw(name, seed, length, torch.float64, half_life, packed)
    got = results_and_gradients(fast, inputs, state, doc_index, chunk_size=chunk)
    want = results_and_gradients(plain, inputs, state, doc_index)
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("half_life", [0.02, 2.0, 32.0, 4096.0])
def test_chunks_equal_the_loop_in_fp32(name, half_life):
    fast, plain = OPS[name]
    inputs, state, doc_index = draw(name, 0, 300, torch.float32, half_life, packed=False)
    got = results_and_gradients(fast, inputs, state, doc_index)
    want = results_and_gradients(plain, inputs, state, doc_index)
    for a, b in zip(got, want, strict=True):
        assert (a - b).square().mean().sqrt() <= 1e-5 * b.square().mean().sqrt()


@pytest.mark.parametrize("name", OPS)
def test_half_precision_is_computed_in_fp32(name):
    fast, _ = OPS[name]
    inputs, state, doc_index = draw(name, 0, 70, torch.bfloat16, 32.0, packed=False)
    output, last = fast(*inputs, state=state, doc_index=doc_index)
    exact, exact_last = fast(*(z.float() for z in inputs), state=state.float(), doc_index=doc_index)
    assert output.dtype == torch.bfloat16
    assert last.dtype == torch.float32
    assert torch.equal(output, exact.bfloat16())
    assert torch.equal(last, exact_last)


@pytest.mark.parametrize("name", OPS)
def test_autocast_does_not_lower_the_precision_inside(name):
    fast, _ = OPS[name]
    inputs, state, doc_index = draw(name, 0, 70, torch.float32, 32.0, packed=False)
    exact, _ = fast(*inputs, state=state, doc_index=doc_index)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output, _ = fast(*inputs, state=state, doc_index=doc_index)
    assert torch.equal(output, exact)


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("name", OPS)
def test_shapes_can_be_worked_out_without_memory(name, autocast):
    fast, _ = OPS[name]
    inputs, state, doc_index = draw(name, 0, 70, torch.bfloat16, 32.0, packed=True)
    want = fast(*inputs, state=state, doc_index=doc_index)
    inputs, state, doc_index = (
        [z.to("meta") for z in inputs],
        state.to("meta"),
        doc_index.to("meta"),
    )
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        got = fast(*inputs, state=state, doc_index=doc_index)
    for x, y in zip(got, want, strict=True):
        assert (x.device.type, x.shape, x.dtype) == ("meta", y.shape, y.dtype)


@pytest.mark.parametrize("name", OPS)
def test_the_fastest_decays_stay_finite(name):
    fast, _ = OPS[name]
    inputs, state, doc_index = draw(name, 0, 200, torch.float32, 0.005, packed=True)
    assert all(z.isfinite().all() for z in results_and_gradients(fast, inputs, state, doc_index))


def test_delta_rule_recalls_the_last_value_bound_to_a_key():
    keys = torch.eye(4, dtype=torch.float64)[[0, 1, 2, 0, 0, 1]][None, :, None]
    values = torch.arange(1.0, 7.0, dtype=torch.float64)[None, :, None, None]
    write = torch.tensor([1, 1, 1, 1, 0, 0], dtype=torch.float64)[None, :, None]
    recalled, _ = gated_delta(keys, keys, values, torch.zeros_like(write), write)
    assert recalled.flatten().tolist() == [1, 2, 3, 4, 4, 2]
