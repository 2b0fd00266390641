"""Dispatch: the chosen rows and no others, as a mask over all rows would have it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from prism.ops.dispatch import dispatch, dispatch_loop
from tests.ops.references import PRECISIONS, assert_same, normal


@given(
    rows=st.integers(1, 12),
    share=st.sampled_from((0.0, 0.4, 1.0)),
    precision=st.sampled_from(PRECISIONS),
    seed=st.integers(0, 99),
)
def test_gathered_rows_are_the_masked_rows(rows, share, precision, seed):
    dtype, bar = precision
    g = torch.Generator().manual_seed(seed)
    chosen = torch.rand(rows, generator=g) < share
    inputs = [normal(seed, rows, 3), normal(seed + 1, rows), normal(seed + 2, 3, 5)]
    assert_same(
        lambda x, weight, w: [dispatch(lambda r: (r @ w).tanh(), x, chosen, weight)],
        lambda x, weight, w: [dispatch_loop(lambda r: (r @ w).tanh(), x, chosen, weight)],
        [x.to(dtype) for x in inputs],
        bar,
    )


@pytest.mark.parametrize("count", (0, 1, 6))
def test_the_function_sees_exactly_the_chosen_rows(count):
    x, chosen = normal(0, 6, 2), torch.arange(6) < count
    seen = []
    dispatch(lambda r: seen.append(r) or r, x, chosen, torch.ones(6).double())
    assert len(seen) == 1
    assert torch.equal(seen[0], x[chosen])


def test_an_expert_that_nobody_chose_stays_in_the_graph_with_zero_gradients():
    expert = nn.Linear(2, 3)
    y = dispatch(expert, torch.ones(4, 2), torch.zeros(4, dtype=torch.bool), torch.ones(4))
    y.sum().backward()
    assert torch.equal(y, torch.zeros(4, 3))
    assert torch.equal(expert.weight.grad, torch.zeros(3, 2))
