"""Retrieval: the answer is on the list of facts and nowhere else, and the labels are fair."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tasks import IGNORE, SPLITS, TASKS
from tasks.retrieval import (
    FIRST_SYLLABLE,
    ID,
    RELATION,
    STOP,
    SUBJECT,
    SYLLABLES,
    UNKNOWN,
    Episode,
    EpisodeSampler,
    Retrieval,
    text,
)
from tests.tasks.test_no_leak import bound, lookup_accuracy

TASK = Retrieval()
splits = pytest.mark.parametrize("split", SPLITS)


def questions(episode: Episode) -> list[tuple[tuple, tuple, tuple, bool]]:
    """Subject, relation, answer and absence of every question that a row holds to its end, put
    together from the labels alone, one token after the other."""
    found = []
    for tokens, parts, asks, absent in zip(
        episode.tokens.tolist(), episode.parts.tolist(), episode.asks, episode.absent, strict=True
    ):
        runs: dict[int, list[int]] = {SUBJECT: [], RELATION: []}
        answer: list[int] = []
        for t, (token, part) in enumerate(zip(tokens, parts, strict=True)):
            if part in runs:
                begins = t == 0 or parts[t - 1] != part
                runs[part] = [token] if begins else [*runs[part], token]
            if t and asks[t - 1]:
                answer.append(token)
            if answer and not asks[t]:
                assert answer.pop() == STOP
                key = tuple(runs[SUBJECT]), tuple(runs[RELATION])
                found.append((*key, tuple(answer), bool(absent[t - 1])))
                answer = []
    return found


@splits
@given(seed=st.integers(0, 2**32 - 1), index=st.integers(0, 2**32 - 1))
def test_every_answer_is_that_of_the_fact_that_the_labels_name(split, seed, index):
    episode = TASK.episode(split, seed, index, 4, 96)
    facts = {(f.subject, f.relation): f.answer for f in episode.facts}
    assert len(facts) == TASK.facts
    for subject, relation, answer, absent in questions(episode):
        assert absent == ((subject, relation) not in facts)
        assert answer == facts.get((subject, relation), (UNKNOWN,))


@given(seed=st.integers(0, 2**32 - 1))
def test_no_row_asks_twice_for_a_fact(seed):
    for row in range(4):
        episode = TASK.episode("train", seed, row, 1, 256)
        asked = [(s, r) for s, r, _, absent in questions(episode) if not absent]
        assert len(asked) == len(set(asked))


@given(seed=st.integers(0, 2**32 - 1))
def test_other_answers_leave_the_text_as_it_was(seed):
    """Everything but the answers themselves is drawn without a look at them."""
    rows = []
    for shift in (0, 7):
        sampler = EpisodeSampler(np.random.default_rng(seed), 0, 30)
        moved = [
            tuple((i - FIRST_SYLLABLE + shift) % len(SYLLABLES) + FIRST_SYLLABLE for i in f.answer)
            for f in sampler.facts
        ]
        sampler.facts = [f._replace(answer=a) for f, a in zip(sampler.facts, moved, strict=True)]
        rows.append([word for word, _ in sampler.row(300)])
    assert rows[0] != rows[1]
    for t, (first, second) in enumerate(zip(*rows, strict=True)):
        if first != second:
            assert rows[0][t - 1].asks and rows[1][t - 1].asks


def test_without_the_facts_a_syllable_is_a_guess_among_all():
    """One question per list of facts, so that no list can be learnt by heart."""
    clues, answers = [], []
    for index in range(1200):
        episode = Retrieval(2).episode("train", 1, index, 1, 48)
        starts = (episode.asks & ~episode.absent)[0].nonzero()[:, 0]
        if len(starts) and starts[0] >= 2:
            clues.append(episode.tokens[0, starts[0] - 2 : starts[0] + 1].numpy())
            answers.append(int(episode.targets[0, starts[0]]))
    clues, answers = np.array(clues), np.array(answers)
    assert len(answers) > 500
    for back in range(3):
        found = lookup_accuracy(clues[:, back], answers)
        assert found <= bound(1 / len(SYLLABLES), len(answers))
    assert lookup_accuracy(answers, answers) > 0.9  # the detector detects


@splits
def test_labels_follow_from_what_stands_before(split):
    known: dict[tuple[int, ...], tuple[int, bool]] = {}
    episode = TASK.episode(split, 3, 0, 300, 64)
    for tokens, parts, asks in zip(
        episode.tokens.tolist(), episode.parts.tolist(), episode.asks.tolist(), strict=True
    ):
        sentence: tuple[int, ...] = ()
        for token, part, ask in zip(tokens, parts, asks, strict=True):
            sentence = (*sentence, token)
            assert known.setdefault(sentence, (part, ask)) == (part, ask), text(sentence)
            if token == STOP:
                sentence = ()


def test_subjects_of_the_splits_are_disjoint():
    names = [
        {f.subject for i in range(40) for f in TASK.episode(split, 0, i, 1).facts}
        for split in SPLITS
    ]
    assert all(len(n) > 300 for n in names)
    assert not (names[0] & names[1] | names[0] & names[2] | names[1] & names[2])


def test_between_a_third_and_a_half_of_the_questions_have_no_answer():
    episode = TASK.episode("train", 0, 0, 300)
    found = questions(episode)
    assert 0.3 < sum(absent for *_, absent in found) / len(found) < 0.5
    subjects = {fact.subject for fact in episode.facts}
    near = [s in subjects for s, _, _, absent in found if absent]
    assert 0.3 < sum(near) / len(near) < 0.7


def test_the_batch_is_the_episode_and_scores_the_answers_only():
    batch, episode = TASK.batch("test", 5, 6, 3, 80), TASK.episode("test", 5, 6, 3, 80)
    assert torch.equal(batch.tokens, episode.tokens)
    assert torch.equal(batch.targets, episode.targets)
    assert torch.equal(episode.targets != IGNORE, episode.asks)
    assert torch.equal(episode.tokens[:, 1:], episode.following[:, :-1])
    assert torch.equal(episode.targets[episode.asks], episode.following[episode.asks])
    assert not (episode.absent & ~episode.asks).any()


def test_chance_is_always_saying_the_full_stop():
    batches = [TASK.batch("train", 0, index, 4).targets for index in range(100)]
    targets = torch.cat(batches)
    scored = targets[targets != IGNORE]
    assert (scored == STOP).float().mean().item() == pytest.approx(TASK.chance, abs=0.02)


def test_it_is_no_task_for_models_without_a_tape():
    assert TASK.name not in TASKS


def test_names_are_written_as_one_word():
    words = ("the", "king", "of", "ba", "lo", "is")
    assert text([ID[word] for word in words]) == "the king of Balo is"


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (lambda: Retrieval(0), "facts = 0: must be >= 1"),
        (lambda: TASK.episode("exam", 0, 0, 1), "split = 'exam'"),
        (lambda: TASK.episode("test", 0, 0, 1, 15), "length = 15: must be one of 16"),
        (lambda: TASK.episode("test", -1, 0, 1), "seed = -1"),
    ],
)
def test_bad_values_are_named(bad, says):
    with pytest.raises(ValueError, match=says):
        bad()
