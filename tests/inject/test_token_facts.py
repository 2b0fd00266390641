"""Facts as token ids: what is bound is read back token by token, what is not is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from prism.inject.token_facts import TokenFacts
from prism.ops.rolling import fact_key

VOCAB, STOP = 40, 3


def tape(**more: object) -> TokenFacts:
    return TokenFacts(VOCAB, STOP, **{"dim": 4096, **more})


def said(facts: TokenFacts, subject: list[int], relation: list[int], tokens: int) -> list[int]:
    """What is read at the first places of an answer; -1 = refused."""
    keys = torch.full((tokens,), fact_key(subject, relation))
    found = facts.read_tokens(keys, torch.arange(tokens))
    return torch.where(found.doubt < 1, found.tokens, -1).tolist()


def test_an_answer_is_read_token_by_token_and_then_the_full_stop():
    facts = tape()
    facts.bind([10, 11], [20], [30, 31, 32], source="atlas")
    facts.bind([10], [20], [33])
    assert said(facts, [10, 11], [20], 4) == [30, 31, 32, STOP]
    assert said(facts, [10], [20], 2) == [33, STOP]
    assert len(facts) == 2


def test_what_is_not_bound_is_refused():
    facts = tape()
    facts.bind([10, 11], [20], [30])
    others = ([10], [20]), ([11, 10], [20]), ([10, 11], [21]), ([20], [10, 11])
    for subject, relation in others:
        assert said(facts, subject, relation, 2) == [-1, -1]
    assert said(facts, [10, 11], [20], 3)[2] == -1
    assert said(tape(), [10], [20], 1) == [-1]


def test_unknown_keys_are_answered_at_the_rate_alpha():
    facts, rng = tape(alpha=0.05), np.random.default_rng(0)
    facts.bind_many([([i], [i + 1], [i % VOCAB]) for i in range(30)])
    keys = torch.from_numpy(rng.integers(-(2**63), 2**63, 4000))
    share = (facts.read_tokens(keys, torch.zeros_like(keys)).doubt < 1).double().mean().item()
    assert 0.035 < share < 0.065


def test_forgetting_leaves_what_never_knew_the_fact():
    facts, never = tape(), tape()
    facts.bind_many([([1], [2], [5, 6]), ([7], [8], [9])])
    never.bind([7], [8], [9])
    facts.forget([1], [2])
    assert torch.equal(facts.tape.H, never.tape.H)
    assert said(facts, [1], [2], 1) == [-1]
    assert said(facts, [7], [8], 2) == [9, STOP]
    with pytest.raises(KeyError):
        facts.forget([1], [2])


def test_many_long_answers_come_back_whole():
    facts = tape()
    answers = [[(7 * i + j) % VOCAB for j in range(31)] for i in range(40)]
    long = [5, 6] * 300
    facts.bind_many([([i], [i + 1], answer) for i, answer in enumerate(answers)])
    facts.bind([1], [99], long)
    for i, answer in enumerate(answers):
        assert said(facts, [i], [i + 1], 32) == [*answer, STOP]
    assert said(facts, [1], [99], 601) == [*long, STOP]


@pytest.mark.parametrize("relations", [120])
def test_a_subject_with_many_relations_is_read_whole(relations: int):
    facts = tape()
    for i in range(relations):
        facts.bind([1], [2, i], [30, i % VOCAB, 31])
    for i in range(relations):
        assert said(facts, [1], [2, i], 4) == [30, i % VOCAB, 31, STOP]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (lambda: TokenFacts(VOCAB, VOCAB), f"stop = {VOCAB}: must be a token id"),
        (lambda: tape().bind([], [1], [2]), "subject = .* must hold at least one"),
        (lambda: tape().bind([1], [], [2]), "relation = .* must hold at least one"),
        (lambda: tape().bind([1], [1], [VOCAB]), f"value {VOCAB}: must be in 0..{VOCAB - 1}"),
        (lambda: tape().bind([1], [1], [-1]), "value -1: must be in"),
        (lambda: tape().bind_many([([1], [1], [2]), ([1], [1], [3])]), "given twice"),
    ],
)
def test_bad_facts_are_named(bad, says):
    with pytest.raises(ValueError, match=says):
        bad()
