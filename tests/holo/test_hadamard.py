"""The fast transform and the codes it reads, against the plain definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.holo.algebra.codebook import GivenCodebook, HadamardCodebook, HashedCodebook
from prism.holo.algebra.codes import hash_integers, signs, unpack_bits
from prism.holo.algebra.hadamard import row_words, sylvester, transform, transform_size


@pytest.mark.parametrize("log_size", range(12))
def test_the_transform_is_the_product_with_the_matrix(log_size: int) -> None:
    size = 2**log_size
    rows = np.arange(size)
    bits = np.array([[bin(i & j).count("1") % 2 for j in rows] for i in rows[:40]])
    x = torch.randint(-9, 10, (3, size)).double()
    expected = x @ torch.from_numpy(1.0 - 2 * bits).T
    assert torch.equal(transform(x)[:, : len(bits)], expected)


def test_the_transform_is_its_own_inverse() -> None:
    x = torch.randint(-9, 10, (2, 3, 4096)).float()
    assert torch.equal(transform(transform(x)), 4096 * x)


@given(st.integers(0, 10), st.integers(1, 300))
def test_packed_rows_are_those_of_the_matrix(log_size: int, dim: int) -> None:
    size = 2**log_size
    expected = sylvester(size).repeat(1, -(-dim // size))[:, :dim]
    bits = unpack_bits(row_words(np.arange(size), dim), dim)
    assert np.array_equal(1 - 2 * bits.astype(int), expected.int().numpy())


def test_the_transform_fits_the_codes_and_divides_the_accumulator() -> None:
    assert transform_size(8192, 1000) == 1024
    assert transform_size(1024, 10_000) == 1024
    assert transform_size(96, 1000) == 32
    assert transform_size(64, 2) == 2


def codebooks(dim: int, size: int) -> list:
    hashed = HashedCodebook(dim)
    hashed.extend(hash_integers(np.arange(size)))
    given_ = GivenCodebook(dim, torch.randint(0, 2, (size, dim)) * 2 - 1)
    return [hashed, HadamardCodebook(dim, size, seed=5), given_]


@pytest.mark.parametrize(("dim", "size"), [(64, 7), (256, 256), (96, 100), (128, 500), (7, 3)])
def test_scores_and_sums_are_those_of_the_codes(dim: int, size: int) -> None:
    for book in codebooks(dim, size):
        codes = signs(book.words(np.arange(size)), dim).double()
        read = torch.randint(-5, 6, (4, dim)).double()
        weights = torch.randint(0, 4, (4, size)).double()
        assert torch.equal(book.scores(read), read @ codes.T), book.kind
        assert torch.equal(book.combine(weights), weights @ codes), book.kind


@pytest.mark.parametrize(("dim", "size"), [(1024, 3000), (1024, 100), (4096, 4096)])
def test_hadamard_codes_are_as_far_apart_as_random_ones(dim: int, size: int) -> None:
    book = HadamardCodebook(dim, size, seed=0)
    codes = signs(book.words(np.arange(size)), dim).float()
    products = codes[:64] @ codes.T
    for i in range(64):
        products[i, i] = 0
    same = torch.arange(size) < book.period
    assert not products[:, same].any(), "codes of one coset are orthogonal"
    assert float(products.abs().max()) < 6 * dim**0.5


def test_a_grown_codebook_keeps_its_codes() -> None:
    book = HashedCodebook(64)
    book.extend(hash_integers(np.arange(3)))
    before = book.scores(torch.eye(64))
    book.extend(hash_integers(np.arange(3, 9)))
    after = book.scores(torch.eye(64))
    assert torch.equal(after[:, :3], before)
    assert after.shape == (64, 9)
    book.shrink(2)
    assert torch.equal(book.scores(torch.eye(64)), before[:, :2])


@pytest.mark.parametrize("codes", [torch.ones(3, 5), torch.zeros(3, 8), torch.ones(8)])
def test_a_given_codebook_is_made_of_signs(codes: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="values"):
        GivenCodebook(8, codes)
