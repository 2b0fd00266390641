"""The hard choice: one candidate forward, the gradient of the mixture backward."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.ops.choice import hard_choice, hard_choice_by_id, hard_choice_reference
from tests.ops.references import PRECISIONS, assert_same, normal


@given(
    choices=st.integers(1, 10),
    units=st.integers(1, 5),
    precision=st.sampled_from(PRECISIONS),
    seed=st.integers(0, 99),
)
def test_the_fused_choice_is_the_one_hot_mixture(choices, units, precision, seed):
    dtype, bar = precision
    score = normal(seed, 2, 3, choices, units, dtype=dtype)
    candidates = [normal(seed + i, 2, 3, 2 * units, dtype=dtype) for i in range(choices)]
    assert_same(
        lambda s, *c: hard_choice(s, list(c)),
        lambda s, *c: hard_choice_reference(s, list(c)),
        [score, *candidates],
        bar,
    )
    fused, plain = hard_choice(score, candidates), hard_choice_reference(score, candidates)
    assert torch.equal(fused[1], plain[1])


def test_the_value_is_a_candidate_to_the_bit_and_the_first_of_equals():
    score = torch.tensor([[0.0, 1.0], [2.0, 1.0], [2.0, 1.0]])  # [P, U]
    candidates = [torch.full((4,), float(p)) for p in range(3)]
    y, picked = hard_choice(score, candidates)
    assert picked.tolist() == [1, 0]
    assert y.tolist() == [1, 0, 1, 0]


def test_the_gradient_of_the_candidates_agrees_with_finite_differences():
    # not that of the scores: the value does not move with them, their gradient is by design
    score, candidates = normal(0, 3, 4, 2), [normal(i, 3, 4).requires_grad_() for i in range(4)]
    assert torch.autograd.gradcheck(lambda *c: hard_choice(score, list(c))[0], candidates)


def test_the_gradient_of_the_scores_is_that_of_the_soft_mixture():
    score = normal(0, 3, 4, 2).requires_grad_()
    candidates = [normal(1 + i, 3, 4) for i in range(4)]
    hard = torch.autograd.grad(hard_choice(score, candidates)[0].sum(), score)[0]
    both = torch.cat([score, score], dim=-1).softmax(dim=-2)
    soft = torch.autograd.grad((both * torch.stack(candidates, dim=-2)).sum(), score)[0]
    assert (hard - soft).abs().max() <= 1e-12


@pytest.mark.parametrize("choices", (1, 2))
def test_the_choice_never_writes_into_a_candidate(choices):
    candidates = [normal(i, 2, 2) for i in range(choices)]
    y, _ = hard_choice(normal(9, 2, choices, 1), candidates)
    assert all(y.data_ptr() != c.data_ptr() for c in candidates)


@given(
    choices=st.integers(1, 6),
    units=st.integers(1, 4),
    of_token=st.sets(st.integers(0, 5)),
    precision=st.sampled_from(PRECISIONS),
    seed=st.integers(0, 99),
)
def test_a_choice_by_id_is_the_choice_of_each_token(choices, units, of_token, precision, seed):
    dtype, bar = precision
    ids = torch.randint(5, (2, 7), generator=torch.Generator().manual_seed(seed))
    score = normal(seed, 5, choices, units, dtype=dtype)
    shapes = [(2, 7) if p in of_token else (5,) for p in range(choices)]
    candidates = [normal(seed + p, *s, 2 * units, dtype=dtype) for p, s in enumerate(shapes)]

    def each_token(s, *c):
        return hard_choice(s[ids], [x[ids] if x.dim() == 2 else x for x in c])

    assert_same(
        lambda s, *c: hard_choice_by_id(s, list(c), ids), each_token, [score, *candidates], bar
    )
    assert torch.equal(
        hard_choice_by_id(score, candidates, ids)[1], each_token(score, *candidates)[1]
    )
