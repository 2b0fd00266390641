"""Products of bytes: the same scores as in fp32, whichever the processor prefers."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.holo import HoloTape
from prism.holo.algebra import codebook
from prism.holo.algebra.codebook import SignColumns
from prism.holo.algebra.codes import hash_keys, sign_codes

DIM = 64


def columns(seed: int = 0) -> SignColumns:
    return SignColumns(DIM, lambda ids: codes_of(ids, seed))


def codes_of(ids: np.ndarray, seed: int = 0) -> torch.Tensor:
    return sign_codes(hash_keys(ids, seed), DIM)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=5), st.integers(0, 20))
def test_scores_are_those_of_fp32_to_the_bit_however_the_matrix_grew(
    sizes: list[int], rows: int
) -> None:
    grown = columns()
    read = torch.from_numpy(np.random.default_rng(rows).integers(-127, 128, (rows, DIM), np.int8))
    for size in sizes:
        expected = read.float() @ codes_of(np.arange(size)).float().T
        assert torch.equal(grown.scores(read, size), expected)


def test_columns_are_made_anew_after_shrinking() -> None:
    read = torch.ones(1, DIM, dtype=torch.int8)
    own = {"seed": 0}
    grown = SignColumns(DIM, lambda ids: codes_of(ids, own["seed"]))
    before = grown.scores(read, 9)
    own["seed"] = 1
    assert torch.equal(grown.scores(read, 9), before)
    grown.shrink(4)
    after = grown.scores(read, 9)
    assert torch.equal(after[:, :4], before[:, :4])
    assert torch.equal(after[:, 4:], read.float() @ codes_of(np.arange(4, 9), 1).float().T)


@pytest.mark.parametrize("fixed", [False, True])
def test_a_tape_answers_the_same_with_and_without_products_of_bytes(
    fixed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = sign_codes(hash_keys(np.arange(50), 7), 512) if fixed else None
    tape = HoloTape.plan(200, 50, 0.9, dim=512, values=codes)
    assert tape.config.dtype == "int8"
    names = [i % 50 if fixed else f"v{i % 50}" for i in range(200)]
    tape.bind_many(list(range(200)), names)
    found = []
    for fast in (True, False):
        monkeypatch.setattr(codebook, "fast_on", lambda device, fast=fast: fast)
        found.append(tape.recall_many(list(range(250)), alpha=0.5, decoder="filter"))
    assert found[0] == found[1]
    assert any(r.value is not None for r in found[0])
