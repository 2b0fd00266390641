"""The shared delta rule: equal to its loop with decay, documents, carry and several layers."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import normalize

from prism.ops.delta import chunk_frame, delta_rule, delta_rule_loop
from tests.ops.references import PRECISIONS, assert_same, document_indices, normal

BATCH, HEADS, SLOTS, WIDTH = 2, 2, 4, 3


def inputs_of(layers: int, length: int, dtype: torch.dtype) -> list[torch.Tensor]:
    """q, k, v, beta and the carried state of each layer, one after another."""
    found = []
    for layer in range(layers):
        shape, seed = (BATCH, length, HEADS), 10 * layer
        found += [
            normal(seed, *shape, SLOTS),
            normalize(normal(seed + 1, *shape, SLOTS), dim=-1),
            normal(seed + 2, *shape, WIDTH),
            2 * normal(seed + 3, *shape).sigmoid(),
            normal(seed + 4, BATCH, HEADS, SLOTS, WIDTH),
        ]
    return [x.to(dtype) for x in found]


def chunked(inputs, retention, doc_index, chunk) -> list[torch.Tensor]:
    frame = chunk_frame(inputs[0].shape[1], retention.tolist(), doc_index, chunk, inputs[0])
    below, reads, states = None, [], []
    for layer in range(0, len(inputs), 5):
        *qkvb, state = inputs[layer : layer + 5]
        out, state, below = delta_rule(*qkvb, frame, state, below)
        reads.append(out)
        states.append(state)
    return [*reads, *states]


def looped(inputs, retention, doc_index) -> list[torch.Tensor]:
    q, k, v, beta, state = (list(inputs[i::5]) for i in range(5))
    reads, states = delta_rule_loop(q, k, v, beta, retention, state, doc_index)
    return [*reads, *states]


@given(
    layers=st.integers(1, 3),
    length=st.integers(1, 23),
    chunk=st.sampled_from((1, 2, 3, 5, 32)),
    retention=st.just([1.0] * HEADS)
    | st.lists(st.sampled_from((1.0, 0.99, 0.5, 1e-3)), min_size=HEADS, max_size=HEADS),
    precision=st.sampled_from(PRECISIONS),
    data=st.data(),
)
def test_the_chunked_rule_is_the_loop(layers, length, chunk, retention, precision, data):
    dtype, bar = precision
    doc_index = data.draw(document_indices(BATCH, length))
    keep = torch.tensor(retention, dtype=torch.float64)
    assert_same(
        lambda *x: chunked(x, keep, doc_index, chunk),
        lambda *x: looped(x, keep, doc_index),
        inputs_of(layers, length, dtype),
        bar,
    )


def read_back(layers: int) -> torch.Tensor:
    """Every layer writes the same pair; what does the last one read under its key?"""
    key = torch.eye(SLOTS)[:1].expand(1, 1, 1, SLOTS).double()
    value, beta = torch.ones(1, 1, 1, WIDTH).double(), torch.ones(1, 1, 1).double()
    frame = chunk_frame(1, (1.0,), None, 4, key)
    below = None
    for _ in range(layers):
        out, state, below = delta_rule(key, key, value, beta, frame, None, below)
    return torch.stack([out[0, 0, 0], state[0, 0, 0]])


def test_a_layer_writes_only_what_those_below_have_not():
    read, own = read_back(layers=1)
    assert torch.equal(read, torch.ones(WIDTH).double())
    assert torch.equal(own, torch.ones(WIDTH).double())
    read, own = read_back(layers=2)
    assert torch.equal(read, torch.ones(WIDTH).double())
    assert torch.equal(own, torch.zeros(WIDTH).double())


def test_a_lossless_state_answers_after_thousands_of_tokens():
    length = 4096
    k = torch.zeros(1, length, 1, SLOTS).double()
    k[..., 0] = 1.0
    k[:, 1:] = torch.eye(SLOTS)[1].double()  # everything later is written under another key
    v, beta = normal(0, 1, length, 1, WIDTH), torch.ones(1, length, 1).double()
    q = torch.eye(SLOTS)[0].expand_as(k).double()
    frame = chunk_frame(length, (1.0,), None, 32, k)
    out, _, _ = delta_rule(q, k, v, beta, frame)
    assert (out[0, -1, 0] - v[0, 0, 0]).abs().max() <= 1e-12


def test_a_closed_gate_writes_nothing():
    *qkv, beta, state = inputs_of(1, 9, torch.float64)
    frame = chunk_frame(9, (1.0,) * HEADS, None, 4, beta)
    _, after, _ = delta_rule(*qkv, torch.zeros_like(beta), frame, state)
    assert torch.equal(after, state)


def test_gradients_agree_with_finite_differences():
    doc_index, keep = torch.tensor([[0, 0, 1, 1, 1]] * BATCH), torch.tensor([1.0, 0.8]).double()
    inputs = [x.requires_grad_() for x in inputs_of(2, 5, torch.float64)]
    assert torch.autograd.gradcheck(lambda *x: tuple(chunked(x, keep, doc_index, 3)), inputs)
