"""The filter over the last tokens: equal to its loop, and a plain convolution on one document."""

from itertools import pairwise
from unittest.mock import patch

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.ops import causal_filter as module
from prism.ops.causal_filter import causal_filter, causal_filter_loop
from prism.ops.documents import RowEnds
from tests.ops.references import PRECISIONS, assert_same, document_indices, normal


@given(
    length=st.integers(1, 17),
    taps=st.integers(2, 6),
    carried=st.booleans(),
    in_cache=st.sampled_from((3, 20, 1 << 16)),
    precision=st.sampled_from(PRECISIONS),
    data=st.data(),
)
def test_the_filter_is_the_loop_in_pieces_of_any_size(
    length, taps, carried, in_cache, precision, data
):
    dtype, bar = precision
    doc_index = data.draw(document_indices(2, length))
    inputs = [normal(0, 2, length, 3), normal(1, taps, 3), normal(2, 2, taps - 1, 3)]
    with patch.object(module, "IN_CACHE", in_cache):
        assert_same(
            lambda x, w, before: causal_filter(x, w, before if carried else None, doc_index),
            lambda x, w, before: causal_filter_loop(x, w, before if carried else None, doc_index),
            [x.to(dtype) for x in inputs],
            bar,
        )


@given(
    length=st.integers(2, 17),
    cuts=st.sets(st.integers(1, 16)),
    taps=st.integers(2, 6),
    data=st.data(),
)
def test_calls_that_carry_the_rows_are_one_call(length, cuts, taps, data):
    doc_index = data.draw(document_indices(2, length))
    borders = [0, *sorted(cut for cut in cuts if cut < length), length]

    def in_pieces(x, weight, before):
        y = []
        for a, b in pairwise(borders):
            of = None if doc_index is None else doc_index[:, a:b]
            if of is not None and a > 0:  # the carried document is 0 in every call
                of = of - doc_index[:, a - 1 : a]
            piece, before = causal_filter(x[:, a:b], weight, before, of)
            y.append(piece)
        return torch.cat(y, dim=1), before

    inputs = [normal(0, 2, length, 3), normal(1, taps, 3), normal(2, 2, taps - 1, 3)]
    whole = lambda x, weight, before: causal_filter(x, weight, before, doc_index)  # noqa: E731
    assert_same(in_pieces, whole, inputs, 1e-12)


def test_one_document_is_a_depthwise_convolution():
    x, weight = normal(0, 2, 11, 3), normal(1, 4, 3)
    y, _ = causal_filter(x, weight)
    line = torch.nn.functional.pad(x.mT, (3, 0))
    wanted = torch.nn.functional.conv1d(line, weight.flip(0).T[:, None], groups=3).mT
    assert torch.allclose(y, wanted, rtol=0, atol=1e-12)


def test_the_rows_for_the_next_call_are_those_of_the_last_real_tokens():
    x, weight, before = normal(0, 3, 5, 2), normal(1, 4, 2), normal(2, 3, 3, 2)
    count = torch.tensor([5, 2, 0])
    ends = RowEnds(count, torch.arange(3) * 5 + (count - 1).clamp(min=0))
    _, rest = causal_filter(x, weight, before, None, ends)
    for row, real in enumerate(count.tolist()):
        wanted = torch.cat([before[row], x[row, :real]])[-3:]
        assert torch.equal(rest[row], wanted)


def test_a_document_sees_only_itself():
    x, weight, before = normal(0, 1, 6, 2), normal(1, 4, 2), normal(2, 1, 3, 2)
    doc_index = torch.tensor([[0, 0, 1, 1, 1, 2]])
    y, rest = causal_filter(x, weight, before, doc_index)
    for a, b in ((2, 5), (5, 6)):
        alone, _ = causal_filter(x[:, a:b], weight)
        assert torch.equal(y[:, a:b], alone)
    assert torch.equal(rest[0], torch.cat([torch.zeros(2, 2).double(), x[0, 5:]]))


@pytest.mark.parametrize("packed", (False, True), ids=("one_document", "packed"))
def test_gradients_agree_with_finite_differences(packed):
    doc_index = torch.tensor([[0, 0, 1, 1, 1]]) if packed else None
    inputs = [normal(i, *s).requires_grad_() for i, s in enumerate(((1, 5, 2), (3, 2), (1, 2, 2)))]
    assert torch.autograd.gradcheck(lambda *x: causal_filter(*x, doc_index), inputs)
