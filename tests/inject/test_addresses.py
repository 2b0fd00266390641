"""Tokens at hashed addresses come back with the z-score that theory gives, and leave no trace."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from prism.holo import hash_keys
from prism.inject import AddressRegister


@pytest.mark.parametrize(("dim", "vocab"), [(4096, 1000), (1024, 5000), (4096, 65_536)])
def test_tokens_come_back_with_the_z_of_the_load(dim: int, vocab: int) -> None:
    facts = dim // 70
    register = AddressRegister(dim, vocab)
    addresses = hash_keys(np.arange(facts))
    tokens = np.random.default_rng(0).integers(0, vocab, facts)
    register.write(addresses, tokens)
    found = register.read(addresses)
    assert np.array_equal(found.tokens.numpy(), tokens)
    assert float(found.z.mean()) == pytest.approx(math.sqrt(dim / facts), rel=0.05)
    strangers = register.read(hash_keys(np.arange(10_000, 10_200)))
    assert float((strangers.z > register.threshold(1e-3)).float().mean()) < 0.02


def test_removing_leaves_no_trace() -> None:
    register = AddressRegister(512, 100, banks=4)
    addresses = hash_keys([f"address {i}" for i in range(50)])
    register.write(addresses, np.arange(50))
    kept = AddressRegister(512, 100, banks=4)
    kept.write(addresses[:20], np.arange(20))
    register.remove(addresses[20:], torch.arange(20, 50))
    assert torch.equal(register.H, kept.H)
    register.remove(addresses[:20], np.arange(20))
    assert not register.H.any()


def test_scores_are_those_of_all_tokens() -> None:
    register = AddressRegister(1024, 50)
    addresses = hash_keys([1, 2, 3])
    register.write(addresses, [7, 8, 9])
    scores = register.scores(addresses)
    best = register.read(addresses)
    assert scores.shape == (3, 50)
    assert torch.equal(scores.argmax(-1), best.tokens)
    assert torch.equal(scores.amax(-1), best.z)


def test_banks_may_be_named_to_keep_a_subject_together() -> None:
    register = AddressRegister(1024, 50, banks=3)
    addresses, banks = hash_keys([1, 2]), np.array([2, 2])
    register.write(addresses, [7, 8], banks)
    assert not register.H[:2].any()
    assert register.read(addresses, banks).tokens.tolist() == [7, 8]


def test_an_empty_register_has_no_z_above_the_threshold() -> None:
    register = AddressRegister(512, 100)
    assert float(register.read(hash_keys([1])).z) == 0
    assert register.read(hash_keys([])).tokens.shape == (0,)


@pytest.mark.parametrize(
    ("tokens", "banks", "says"),
    [
        ([1, 2], None, "2 tokens for 1 addresses"),
        ([100], None, "token 100: must be in 0..99"),
        ([-1], None, "token -1"),
        ([1], [9], "banks: must be one in 0..1"),
    ],
)
def test_bad_writes_are_refused(tokens: list, banks: list | None, says: str) -> None:
    register = AddressRegister(64, 100, banks=2)
    with pytest.raises(ValueError, match=says):
        register.write(hash_keys([5]), np.array(tokens), None if banks is None else np.array(banks))
    assert not register.H.any()
    with pytest.raises(ValueError, match="vocab_size = 1"):
        AddressRegister(64, 1)
