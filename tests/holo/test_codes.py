"""Codes: the same on every machine, different for different keys, as random as theory assumes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.holo.algebra.codes import (
    bank_of,
    code_words,
    hash_integers,
    hash_keys,
    integers_of,
    pack_bits,
    position_hashes,
    sign_codes,
    signs,
    unpack_bits,
)

KEYS = st.one_of(
    st.text(min_size=1), st.binary(min_size=1), st.integers(-(2**63), 2**63 - 1), st.integers()
)

GOLDEN_HASHES = [
    "0x96eb9e3de0c51006",
    "0xc6f7e2aa277ea5bb",
    "0x535121e519da7723",
    "0x248e30793aea35db",
    "0x321b1272073198d0",
]
GOLDEN_WORDS = [
    "0x910a2dec89025cc1",
    "0xbeeb8da1658eec67",
    "0x481ec0a212a9f3db",
    "0xc46fa638a6309012",
]
GOLDEN_SIGNS = [-1, 1, 1, 1, 1, 1, -1, -1]


def test_hashes_are_these_on_every_machine() -> None:
    found = hash_keys(["Freedonia", b"Freedonia", 7, -1, 2**70], seed=3)
    assert [hex(h) for h in found.tolist()] == GOLDEN_HASHES


def test_codes_are_these_on_every_machine() -> None:
    words = code_words(np.array([1, 2**63], np.uint64), 128)
    assert [hex(w) for w in words.ravel().tolist()] == GOLDEN_WORDS
    assert sign_codes(np.array([1], np.uint64), 8).tolist() == [GOLDEN_SIGNS]


@given(st.lists(KEYS, unique_by=lambda k: (type(k), k), max_size=20), st.integers(0, 9))
def test_keys_of_different_type_or_content_differ(keys: list, seed: int) -> None:
    found = hash_keys(keys, seed)
    assert len(set(found.tolist())) == len(keys)
    assert found.tolist() == [hash_keys([key], seed)[0] for key in keys]


def test_one_as_text_bytes_and_number_are_three_keys() -> None:
    assert len(set(hash_keys([1, "1", b"1"]).tolist())) == 3


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20))
def test_integers_hash_alike_alone_in_arrays_and_in_tensors(keys: list[int]) -> None:
    one_by_one = [int(hash_keys([k])[0]) for k in keys]
    assert hash_keys(np.array(keys, np.int64)).tolist() == one_by_one
    assert hash_keys(torch.tensor(keys, dtype=torch.int64)).tolist() == one_by_one
    assert hash_keys([*keys, "text"])[: len(keys)].tolist() == one_by_one


def test_the_seed_changes_every_hash() -> None:
    keys = ["a", b"a", 1, 2**80]
    assert not np.intersect1d(hash_keys(keys, 0), hash_keys(keys, 1)).size


@pytest.mark.parametrize("key", ["", b""])
def test_an_empty_key_is_refused(key: str | bytes) -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        hash_keys(["fine", key])


@pytest.mark.parametrize("key", [1.5, float("nan"), None, True, ("a",)])
def test_only_text_bytes_and_integers_are_keys(key: object) -> None:
    with pytest.raises(TypeError, match="must be a str, bytes or int"):
        hash_keys(["fine", key])  # type: ignore[list-item]


def test_a_lone_string_is_not_a_list_of_keys() -> None:
    with pytest.raises(TypeError, match="must be a list of keys"):
        hash_keys("Freedonia")


def test_arrays_hold_integers_below_two_to_the_63() -> None:
    with pytest.raises(TypeError, match="must hold integers"):
        hash_keys(np.array([0.5]))
    with pytest.raises(ValueError, match="must be below"):
        hash_integers(np.array([2**63], np.uint64))


@given(st.integers(1, 200), st.integers(1, 5))
def test_packing_is_the_inverse_of_unpacking(dim: int, count: int) -> None:
    words = code_words(hash_integers(np.arange(count)), dim)
    bits = unpack_bits(words, dim)
    assert bits.shape == (count, dim)
    assert np.array_equal(unpack_bits(pack_bits(bits), dim), bits)
    assert np.array_equal(signs(words, dim).numpy(), 1 - 2 * bits.astype(int))


def test_a_product_of_codes_is_the_exclusive_or_of_their_words() -> None:
    a, b = (code_words(hash_integers(np.arange(3), seed), 100) for seed in (0, 1))
    assert torch.equal(signs(a ^ b, 100), signs(a, 100) * signs(b, 100))


def test_codes_look_random() -> None:
    n, dim = 400, 1024
    codes = sign_codes(hash_integers(np.arange(n)), dim).double()
    assert abs(float(codes.mean())) < 4 / (n * dim) ** 0.5
    cosines = (codes @ codes.T / dim)[~torch.eye(n, dtype=torch.bool)]
    assert abs(float(cosines.std()) * dim**0.5 - 1) < 0.02
    assert float(cosines.abs().max()) < 6 / dim**0.5
    columns = codes.T @ codes / n
    assert float(columns[~torch.eye(dim, dtype=torch.bool)].std()) * n**0.5 < 1.02


def test_streams_and_positions_give_unrelated_codes() -> None:
    hashes = hash_integers(np.arange(50))
    a, b = sign_codes(hashes, 1024, 0).double(), sign_codes(hashes, 1024, 1).double()
    assert float((a * b).mean(1).abs().max()) < 5 / 32
    moved = [position_hashes(hashes, p) for p in range(4)]
    assert np.array_equal(moved[0], hashes)
    assert len(np.unique(np.concatenate(moved))) == 200


@given(st.integers(1, 1000))
def test_banks_are_even(banks: int) -> None:
    found = bank_of(hash_integers(np.arange(20_000)), banks)
    assert found.min() >= 0
    assert found.max() < banks
    loads = np.bincount(found, minlength=banks)
    mean = 20_000 / banks
    assert loads.max() < mean + 6 * mean**0.5 + 6


@given(st.lists(st.integers(-(2**63), 2**63 - 1)), st.integers(0, 2**63 - 1))
def test_an_integer_is_had_back_from_its_hash(keys: list[int], seed: int) -> None:
    hashes = hash_integers(np.array(keys, np.int64), seed)
    assert integers_of(hashes, seed).tolist() == keys
