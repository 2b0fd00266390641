"""The ring: a filter over the last S tokens that equals a fast-weight state with phase keys."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.ops.ring import offset_query, phases, ring_read, ring_read_loop
from tests.ops.references import PRECISIONS, assert_same, document_indices, normal


@given(
    length=st.integers(1, 40),
    slots=st.sampled_from((2, 4, 6, 8)),
    precision=st.sampled_from(PRECISIONS),
    data=st.data(),
)
def test_the_filter_is_a_fast_weight_state_with_phase_keys(length, slots, precision, data):
    dtype, bar = precision
    doc_index = data.draw(document_indices(2, length))
    queries, contents = normal(0, 2, length, 2, slots), normal(1, 2, length, 2, 3)
    assert_same(
        lambda q, c: [ring_read(q @ phases(slots).to(q), c, None, doc_index)[0]],
        lambda q, c: [ring_read_loop(q, c, doc_index)],
        [queries.to(dtype), contents.to(dtype)],
        bar,
    )


@given(length=st.integers(2, 40), slots=st.sampled_from((8, 4, 2)), data=st.data())
def test_what_is_carried_continues_the_ring(length, slots, data):
    doc_index = data.draw(document_indices(2, length))
    at = data.draw(st.integers(1, length - 1))
    taps, contents = normal(0, 2, length, 2, slots), normal(1, 2, length, 2, 3)

    def in_two(taps, contents):
        early = late = None
        if doc_index is not None:  # the second call counts its doc_index from the one it continues
            early, late = doc_index[:, :at], doc_index[:, at:] - doc_index[:, at - 1 : at]
        first, carry = ring_read(taps[:, :at], contents[:, :at], None, early)
        second, carry = ring_read(taps[:, at:], contents[:, at:], carry, late)
        return [torch.cat([first, second], dim=1), carry]

    def at_once(taps, contents):
        return list(ring_read(taps, contents, None, doc_index))

    assert_same(in_two, at_once, [taps, contents], 1e-10)


@pytest.mark.parametrize("slots", (2, 8, 64))
def test_an_offset_query_reads_one_lag_and_nothing_else(slots):
    contents = normal(0, 1, 3 * slots, 1, 2)
    for offset in {0, 1, slots - 1}:
        taps = offset_query(slots, offset) @ phases(slots)
        read, _ = ring_read(taps.expand(1, 3 * slots, 1, slots), contents)
        wanted = torch.zeros_like(contents)
        wanted[:, offset:] = contents[:, : 3 * slots - offset]
        assert (read - wanted).abs().max() <= 1e-10


@pytest.mark.parametrize("slots", (2, 8, 32))
def test_keys_are_orthogonal_over_a_window_of_as_many_tokens_as_slots(slots):
    gram = torch.stack([offset_query(slots, i) @ phases(slots) for i in range(slots)])
    assert torch.allclose(gram, torch.eye(slots).double(), atol=1e-10)


def test_gradients_agree_with_finite_differences():
    doc_index = torch.tensor([[0, 0, 0, 0, 1, 1, 1, 1, 1]])
    inputs = [normal(0, 1, 9, 1, 4), normal(1, 1, 9, 1, 2), normal(2, 1, 3, 1, 2)]
    inputs = [x.requires_grad_() for x in inputs]
    assert torch.autograd.gradcheck(lambda *x: ring_read(*x, doc_index), inputs)
