"""Choice of a token: each rule keeps what its definition says, and a draw has the right odds."""

import math
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.model.generation.sampling import Sampling, row_seeds, uniforms
from prism.splitmix import GAMMA, mix

LOGITS = torch.tensor([[2.0, 1.0, 0.0, -1.0, -math.inf]])
HALF = torch.full((1,), 0.5, dtype=torch.float64)


def kept(logits: torch.Tensor, **rules: object) -> list[list[int]]:
    """Ids that each row may still draw."""
    rows = Sampling(**rules).kept(logits)
    return [row.isfinite().nonzero()[:, 0].tolist() for row in rows]


def odds(logits: torch.Tensor, **rules: object) -> torch.Tensor:
    """Share of each token among the draws at 10,000 numbers that are evenly spaced in [0, 1)."""
    u = (torch.arange(10_000, dtype=torch.float64) + 0.5) / 10_000
    drawn = Sampling(**rules).choose(logits.expand(len(u), -1), u)
    return torch.bincount(drawn, minlength=logits.shape[-1]) / len(u)


@pytest.mark.parametrize("temperature", (0.5, 1.0, 3.0, math.inf))
def test_a_token_is_drawn_as_often_as_its_probability_says(temperature):
    scaled = torch.where(-math.inf == LOGITS, LOGITS, LOGITS / temperature)
    wanted = scaled.softmax(-1)[0]
    assert (odds(LOGITS, temperature=temperature) - wanted).abs().max() < 2e-4


@pytest.mark.parametrize("temperature", (1e-40, 5e-324, 1e-9))
@pytest.mark.parametrize("dtype", (torch.float32, torch.float64))
def test_the_coldest_temperatures_are_greedy(temperature, dtype):
    logits = LOGITS.to(dtype)
    assert odds(logits, temperature=temperature)[0] == 1
    tied = torch.tensor([[1.0, 3.0, 3.0]], dtype=dtype)
    assert odds(tied, temperature=temperature).tolist() == [0, 0.5, 0.5]


def test_greedy_takes_the_lowest_id_of_equal_ones():
    assert Sampling(temperature=0).choose(torch.tensor([[1.0, 3, 3, 3]]), None).tolist() == [1]


@pytest.mark.parametrize(
    "rules, wanted",
    (
        ({}, [0, 1, 2, 3]),
        ({"top_k": 2}, [0, 1]),
        ({"top_k": 99}, [0, 1, 2, 3]),
        ({"top_p": 1.0}, [0, 1, 2, 3]),
        ({"top_p": 0.6}, [0]),  # 0.644, 0.237, 0.087, 0.032
        ({"top_p": 0.7}, [0, 1]),
        ({"top_p": 1e-9}, [0]),
        ({"top_p": 0.7, "temperature": math.inf}, [0, 1, 2]),  # 4 x 0.25
        ({"top_k": 2, "temperature": math.inf}, [0, 1]),
        ({"min_p": 0.0}, [0, 1, 2, 3]),
        ({"min_p": 0.3}, [0, 1]),  # e^-1 = 0.37, e^-2 = 0.14
        ({"min_p": 1.0}, [0]),
        ({"min_p": 0.3, "temperature": 2.0}, [0, 1, 2]),
        ({"top_k": 3, "top_p": 0.7}, [0, 1]),  # 0.665, 0.245, 0.090 of what top-k leaves
    ),
    ids=str,
)
def test_a_rule_keeps_the_tokens_of_its_definition(rules, wanted):
    assert kept(LOGITS, **rules) == [wanted]


@given(
    st.lists(st.lists(st.integers(-2, 2), min_size=6, max_size=6), min_size=1, max_size=4),
    st.integers(1, 7),
)
def test_top_k_keeps_exactly_k_and_of_equal_ones_the_lowest_ids(rows, k):
    for row, found in zip(rows, kept(torch.tensor(rows).float(), top_k=k), strict=True):
        order = sorted(range(6), key=lambda i: (-row[i], i))
        assert found == sorted(order[:k])


@given(st.lists(st.floats(-9, 9, width=32), min_size=6, max_size=6), st.floats(0.01, 0.99))
def test_top_p_keeps_the_fewest_that_reach_the_sum(row, p):
    (found,) = kept(torch.tensor([row]), top_p=p)
    probability = torch.tensor(row, dtype=torch.float64).softmax(-1)
    assert probability[found].sum() >= p - 1e-6
    assert probability[found].sum() - probability[found].min() < p + 1e-6
    left = [i for i in range(6) if i not in found]
    assert not left or probability[left].max() <= probability[found].min() + 1e-6


def test_a_repeated_token_is_less_likely_whatever_its_sign():
    rule = Sampling(repetition_penalty=2.0)
    found = rule.processed(torch.tensor([[0, 3, 3]]), LOGITS)
    assert found.tolist() == [[1.0, 1.0, 0.0, -2.0, -math.inf]]


def test_processors_run_in_order_after_the_penalty():
    seen = []

    def double(tokens, logits):
        seen.append(tokens.tolist())
        return logits * 2

    def forbid(tokens, logits):
        return logits.index_fill(1, tokens[0], -math.inf)

    rule = Sampling(temperature=0, repetition_penalty=2.0, processors=(double, forbid))
    found = rule.processed(torch.tensor([[0]]), LOGITS)
    assert found.tolist() == [[-math.inf, 2.0, 0.0, -2.0, -math.inf]]
    assert seen == [[[0]]]


@pytest.mark.parametrize("temperature", (0, 1.0, math.inf))
@pytest.mark.parametrize(
    "row, says",
    (
        ([1.0, math.nan, 0.0], "hold NaN or +inf"),
        ([1.0, math.inf, 0.0], "hold NaN or +inf"),
        ([-math.inf] * 3, "leave no token"),
    ),
)
def test_logits_without_a_distribution_are_refused(temperature, row, says):
    logits = torch.tensor([[0.0, 1.0, 2.0], row])
    with pytest.raises(ValueError, match=re.escape(f"logits of row 1 {says}")):
        Sampling(temperature).choose(logits, None if temperature == 0 else HALF.expand(2))


def test_the_last_number_below_one_draws_no_token_of_probability_zero():
    u = torch.tensor([1 - 2.0**-53], dtype=torch.float64)
    assert Sampling().choose(LOGITS, u).tolist() == [3]


@pytest.mark.parametrize(
    "name, value, allowed",
    (
        ("temperature", -1, "a number >= 0"),
        ("temperature", math.nan, "a number >= 0"),
        ("temperature", "1", "a number >= 0"),
        ("top_k", 0, "None or >= 1"),
        ("top_k", 2.0, "None or >= 1"),
        ("top_k", True, "None or >= 1"),
        ("top_p", 0, "None or above 0 and at most 1"),
        ("top_p", 1.1, "None or above 0 and at most 1"),
        ("top_p", math.nan, "None or above 0 and at most 1"),
        ("min_p", -0.1, "None or in [0, 1]"),
        ("min_p", 2, "None or in [0, 1]"),
        ("repetition_penalty", 0, "a finite number above 0"),
        ("repetition_penalty", math.inf, "a finite number above 0"),
    ),
)
def test_a_value_out_of_range_is_named(name, value, allowed):
    with pytest.raises(ValueError, match=re.escape(f"{name} = {value}: must be {allowed}")):
        Sampling(**{name: value})


def test_random_numbers_are_those_of_splitmix_and_depend_on_seed_and_draw_alone():
    found = uniforms(row_seeds(5, 3), 2, 4)
    for i in range(3):
        for n in range(4):
            assert found[i, n].item() == (mix(mix(5 + i) + (n + 3) * GAMMA) >> 11) / 2**53
    several = uniforms(torch.arange(300), 0, 300)
    assert abs(several.mean() - 0.5) < 0.005 and abs(several.std() - 12**-0.5) < 0.005
    neighbours = torch.corrcoef(torch.stack([several[:-1].flatten(), several[1:].flatten()]))
    assert neighbours[0, 1].abs() < 0.02


@pytest.mark.parametrize("seed", (-1, 2**63, 1.5, True, [1, 2], [1, -1, 2]), ids=str)
def test_a_bad_seed_is_refused(seed):
    with pytest.raises(ValueError, match=r"seed = .*: must be"):
        row_seeds(seed, 3)
