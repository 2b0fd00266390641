"""The accumulator: exact sums in any order, and an overflow that changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.holo.algebra.accumulator import BLOCK, DTYPES, Accumulator, sign_ste
from prism.holo.algebra.codes import code_words, hash_integers, signs


def words_of(keys: np.ndarray, dim: int) -> np.ndarray:
    return code_words(hash_integers(keys), dim)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 99), st.integers(-9, 9)), min_size=1),
    st.integers(1, 130),
)
def test_sums_are_those_of_the_plain_loop(facts: list, dim: int) -> None:
    banks, keys, amplitudes = (np.array(column) for column in zip(*facts, strict=True))
    words = words_of(keys, dim)
    accumulator = Accumulator(6, dim, "int16")
    touched = accumulator.add(banks, lambda at: words[at], amplitudes)
    expected = np.zeros((6, dim), int)
    for bank, code, a in zip(banks, signs(words, dim).numpy(), amplitudes, strict=True):
        expected[bank] += a * code.astype(int)
    assert np.array_equal(accumulator.numbers.numpy(), expected)
    assert touched.tolist() == sorted(set(banks.tolist()))


def test_blocks_that_cut_a_bank_in_two_add_up() -> None:
    keys, dim = np.arange(5000), 1024  # many blocks, most of one bank
    words, banks = words_of(keys, dim), np.where(keys < 4000, 0, keys % 7)
    accumulator = Accumulator(7, dim, "int32")
    accumulator.add(banks, lambda at: words[at], np.ones(5000, int))
    expected = torch.zeros(7, dim, dtype=torch.int32)
    expected.index_add_(0, torch.from_numpy(banks), signs(words, dim).int())
    assert torch.equal(accumulator.numbers, expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_taken_back_leaves_no_trace(dtype: str) -> None:
    accumulator = Accumulator(1, 64, dtype)
    words, zero = words_of(np.arange(20), 64), np.zeros(20, int)
    accumulator.add(zero, lambda at: words[at], np.ones(20, int))
    assert accumulator.numbers.any()
    order = np.random.default_rng(0).permutation(20)
    accumulator.add(zero, lambda at: words[order][at], -np.ones(20, int))
    assert not accumulator.numbers.any()


@pytest.mark.parametrize(("dtype", "limit"), [("int8", 127), ("int16", 32_767)])
def test_an_overflow_is_an_error_that_changes_nothing(dtype: str, limit: int) -> None:
    accumulator = Accumulator(2, 64, dtype)
    one = words_of(np.array([1]), 64)
    same = lambda at: np.repeat(one, len(at), 0)  # noqa: E731
    accumulator.add(np.zeros(1, int), same, np.array([limit - 1]))
    before = accumulator.numbers.clone()
    with pytest.raises(OverflowError, match=f"must be at most {limit}; nothing was written"):
        accumulator.add(np.array([1, 0, 0]), same, np.array([1, 1, 1]))
    assert torch.equal(accumulator.numbers, before)
    accumulator.add(np.zeros(1, int), same, np.array([1]))
    assert int(accumulator.numbers.abs().max()) == limit


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_a_write_that_is_broken_off_in_the_middle_leaves_no_trace(error: type) -> None:
    dim, banks = BLOCK // 2, np.arange(12) % 3  # the signs of a bank are asked for twice
    accumulator, words = Accumulator(3, dim, "int8"), words_of(np.arange(12), dim)
    accumulator.add(banks, lambda at: words[at], np.ones(12, int))
    before = accumulator.numbers.clone()
    calls = 0

    def breaking(at: np.ndarray) -> np.ndarray:
        nonlocal calls
        calls += 1
        if calls == 4:
            assert not torch.equal(accumulator.numbers, before)
            raise error
        return words[at]

    with pytest.raises(error):
        accumulator.add(banks, breaking, np.ones(12, int))
    assert calls > 4  # what was done has been taken back
    assert torch.equal(accumulator.numbers, before)


def test_an_overflow_in_the_last_bank_takes_the_others_back() -> None:
    accumulator, one = Accumulator(3, BLOCK, "int8"), words_of(np.array([1]), BLOCK)
    accumulator.numbers += 5
    with pytest.raises(OverflowError, match="nothing was written"):
        accumulator.add(np.arange(3), lambda at: one.repeat(len(at), 0), np.array([9, 9, 125]))
    assert (accumulator.numbers == 5).all()


def test_a_sum_that_is_within_range_at_the_end_may_pass_it_on_the_way() -> None:
    accumulator = Accumulator(1, 64, "int8")
    words = np.repeat(words_of(np.array([1]), 64), 400, 0)
    accumulator.add(np.zeros(400, int), lambda at: words[at], np.repeat([1, -1], 200))
    assert not accumulator.numbers.any()


def test_a_float_register_refuses_what_it_cannot_hold_exactly() -> None:
    accumulator = Accumulator(1, 8, "float32")
    with pytest.raises(OverflowError, match="float32"):
        accumulator.add(np.zeros(1, int), lambda at: words_of(at, 8), np.array([2**24 + 2]))


def test_adding_registers_checks_the_sum() -> None:
    a, b = Accumulator(1, 8, "int8"), Accumulator(1, 8, "int8")
    a.numbers += 100
    b.numbers += 27
    a.superpose(b)
    assert int(a.numbers.max()) == 127
    with pytest.raises(OverflowError):
        a.superpose(b)
    assert int(a.numbers.max()) == 127


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(ValueError, match="dtype = 'int4': must be one of int8"):
        Accumulator(1, 8, "int4")


def test_the_straight_through_sign_has_the_gradient_of_the_identity() -> None:
    x = torch.tensor([-2.0, -0.5, 0.0, 0.5, 2.0], requires_grad=True)
    y = sign_ste(x)
    assert y.tolist() == [-1, -1, 1, 1, 1]
    y.sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 0]
