"""The recurrence from chunk to chunk is its loop, in values and gradients."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.ops.recurrence import chunk_states, chunk_states_loop
from tests.ops.references import PRECISIONS, assert_same, normal


@given(
    chunks=st.integers(1, 9),
    fades=st.booleans(),
    precision=st.sampled_from(PRECISIONS),
    seed=st.integers(0, 99),
)
def test_states_of_chunks_are_those_of_the_loop(chunks, fades, precision, seed):
    dtype, bar = precision
    inputs = [
        normal(seed, chunks, 2, 2, 4, 3),
        0.3 * normal(seed + 1, chunks, 2, 2, 4, 4),
        normal(seed + 2, 2, 2, 4, 3),
    ]
    through = normal(seed + 3, chunks, 2, 1, 1, 1).sigmoid().to(dtype) if fades else None
    assert_same(
        lambda gain, mix, state: chunk_states(gain, mix, through, state),
        lambda gain, mix, state: chunk_states_loop(gain, mix, through, state),
        [x.to(dtype) for x in inputs],
        bar,
    )


def test_gradients_agree_with_finite_differences():
    shapes = ((3, 1, 1, 2, 2), (3, 1, 1, 2, 2), (1, 1, 2, 2))
    inputs = [normal(i, *shape).requires_grad_() for i, shape in enumerate(shapes)]
    assert torch.autograd.gradcheck(lambda g, m, s: chunk_states(g, m, None, s), inputs)
