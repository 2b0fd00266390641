"""Running hashes: the scan is the plain loop, keys are of the runs and of nothing else."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.ops.rolling import RADIX, affine_scan, fact_key, fact_keys, mix, run_hashes

WORD = 1 << 64
numbers = st.integers(-(2**63), 2**63 - 1)


def signed(x: int) -> int:
    return (x + 2**63) % WORD - 2**63


def mix_of_one(x: int) -> int:
    """SplitMix64's finaliser in plain Python integers."""
    x %= WORD
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % WORD
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB % WORD
    return signed(x ^ (x >> 31))


@given(st.lists(numbers, min_size=1, max_size=20))
def test_mix_is_splitmix64(values):
    assert mix(torch.tensor(values)).tolist() == [mix_of_one(x) for x in values]


@given(st.integers(1, 40), st.integers(0, 2**32))
def test_the_doubling_scan_is_the_loop(length, seed):
    rng = np.random.default_rng(seed)
    a, b = (torch.from_numpy(rng.integers(-(2**63), 2**63, (3, length))) for _ in "ab")
    start = torch.from_numpy(rng.integers(-(2**63), 2**63, 3))
    h, wanted = start, []
    for t in range(length):
        h = a[:, t] * h + b[:, t]
        wanted.append(h)
    assert torch.equal(affine_scan(a, b, start), torch.stack(wanted, dim=1))


def test_a_run_is_hashed_as_the_equation_says():
    tokens = torch.tensor([[7, 5, 6, 9, 5]])
    plays = torch.tensor([[False, True, True, False, True]])
    begins = torch.tensor([[False, True, False, False, True]])
    fresh = torch.zeros_like(plays)
    five = RADIX + mix_of_one(5)
    both = signed(RADIX * five + mix_of_one(6))
    found = run_hashes(tokens, plays, begins, fresh, torch.tensor([3]))
    assert found.tolist() == [[3, signed(five), both, both, signed(five)]]


def test_a_document_knows_no_run_before_it():
    tokens = torch.tensor([[1, 2, 3]])
    plays = torch.tensor([[True, False, False]])
    fresh = torch.tensor([[False, True, False]])
    found = run_hashes(tokens, plays, plays, fresh, torch.tensor([0]))
    assert found[0, 1:].tolist() == [0, 0]


def test_writing_and_reading_hash_alike():
    tokens = torch.tensor([[4, 1, 2, 9, 3]])
    subject = torch.tensor([[False, True, True, False, False]])
    relation = torch.tensor([[False, False, False, False, True]])
    first = torch.tensor([[False, True, False, False, False]])
    none, zero = torch.zeros_like(subject), torch.tensor([0])
    keys = fact_keys(
        run_hashes(tokens, subject, first, none, zero),
        run_hashes(tokens, relation, relation, none, zero),
    )
    assert keys[0, -1] == fact_key([1, 2], [3])


def test_parts_order_and_boundaries_all_count():
    cases = [([1, 2], [3]), ([1], [2, 3]), ([2, 1], [3]), ([3], [1, 2]), ([1, 2, 3], [3])]
    cases += [(list(p[:2]), list(p[2:])) for p in permutations((4, 5, 6, 7))]
    assert len({fact_key(*case) for case in cases}) == len(cases)


def test_a_hundred_thousand_keys_do_not_collide():
    ids = torch.arange(100_000)
    assert len(fact_keys(ids // 300, ids % 300).unique()) == len(ids)


@pytest.mark.parametrize("parts", [([], [1]), ([1], [])])
def test_a_part_without_tokens_is_refused(parts):
    with pytest.raises(ValueError, match="must hold at least one token id"):
        fact_key(*parts)
