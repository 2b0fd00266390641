"""Tokens at hashed addresses come back with the z-score that theory gives, and leave no trace."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from prism.holo import hash_keys
from prism.holo.algebra.codes import position_hashes
from prism.inject import AnswerAccumulator


@pytest.mark.parametrize(("dim", "vocab"), [(4096, 1000), (1024, 5000), (4096, 65_536)])
def test_tokens_come_back_with_the_z_of_the_load(dim: int, vocab: int) -> None:
    facts = dim // 70
    answers = AnswerAccumulator(dim, vocab)
    addresses = hash_keys(np.arange(facts))
    tokens = np.random.default_rng(0).integers(0, vocab, facts)
    answers.write(addresses, tokens)
    best = answers.read(addresses)
    assert np.array_equal(best.tokens.numpy(), tokens)
    assert float(best.z.mean()) == pytest.approx(math.sqrt(dim / facts), rel=0.05)
    unknown = answers.read(hash_keys(np.arange(10_000, 10_200)))
    assert float((unknown.z > answers.threshold(1e-3)).float().mean()) < 0.02


def test_removing_leaves_no_trace() -> None:
    answers = AnswerAccumulator(512, 100, banks=4)
    addresses = hash_keys([f"address {i}" for i in range(50)])
    answers.write(addresses, np.arange(50))
    kept = AnswerAccumulator(512, 100, banks=4)
    kept.write(addresses[:20], np.arange(20))
    answers.remove(addresses[20:], torch.arange(20, 50))
    assert torch.equal(answers.H, kept.H)
    answers.remove(addresses[:20], np.arange(20))
    assert not answers.H.any()


def test_scores_are_those_of_all_tokens() -> None:
    answers = AnswerAccumulator(1024, 50)
    addresses = hash_keys([1, 2, 3])
    answers.write(addresses, [7, 8, 9])
    scores = answers.scores(addresses)
    best = answers.read(addresses)
    assert scores.shape == (3, 50)
    assert torch.equal(scores.argmax(-1), best.tokens)
    assert torch.equal(scores.amax(-1), best.z)


def test_banks_may_be_named_to_keep_a_subject_together() -> None:
    answers = AnswerAccumulator(1024, 50, banks=3)
    addresses, banks = hash_keys([1, 2]), np.array([2, 2])
    answers.write(addresses, [7, 8], banks)
    assert not answers.H[:2].any()
    assert answers.read(addresses, banks).tokens.tolist() == [7, 8]


def test_an_empty_register_has_no_z_above_the_threshold() -> None:
    answers = AnswerAccumulator(512, 100)
    assert float(answers.read(hash_keys([1])).z) == 0
    assert answers.read(hash_keys([])).tokens.shape == (0,)


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
    answers = AnswerAccumulator(64, 100, banks=2)
    with pytest.raises(ValueError, match=says):
        answers.write(hash_keys([5]), np.array(tokens), None if banks is None else np.array(banks))
    assert not answers.H.any()
    with pytest.raises(ValueError, match="vocab_size = 1"):
        AnswerAccumulator(64, 1)


def read_back(answers: AnswerAccumulator, root: np.uint64, count: int) -> list[int]:
    addresses = position_hashes(np.full(count, root), np.arange(count))
    return answers.read(addresses).tokens.tolist()


@pytest.mark.parametrize(
    "lengths", [[31] * 40, [3] * 120, [4, 4, 3000, 5]], ids=["long", "many", "one very long"]
)
def test_answers_of_any_length_and_number_come_back_whole(lengths: list[int]) -> None:
    answers, rng = AnswerAccumulator(4096, 300, grow=True), np.random.default_rng(0)
    told = [rng.integers(0, 300, length).tolist() for length in lengths]
    roots = hash_keys([f"relation {i} of one subject" for i in range(len(told))])
    for root, tokens in zip(roots, told, strict=True):
        answers.bind(root, tokens)
    for root, tokens in zip(roots, told, strict=True):
        assert read_back(answers, root, len(tokens)) == tokens
    addresses = position_hashes(np.full(len(told[0]), roots[0]), np.arange(len(told[0])))
    assert float(answers.read(addresses).z.min()) > answers.threshold(1e-5)
    large = AnswerAccumulator(4096, 300, banks=answers.accumulator.banks)
    for root, tokens in zip(roots, told, strict=True):
        large.bind(root, tokens)
    assert torch.equal(large.H, answers.H)  # as if it had been so large from the start
    for root in roots:
        answers.forget(root)
    assert not answers.H.any()
