"""No answer is in the input at or before the position that predicts it.

"In the input" has to be said with care: what answers a copy task *is* in the input, eight tokens
earlier, and finding it is the task. The proof has three parts, for every task with a rule:

1. The prefix is enough. A second solver, in plain Python, gets ``tokens[:p + 1]`` and nothing
   else, and gives the same target at every position, asked or not. So the target is a function
   of the prefix by the rule, and nothing behind p takes part in it.
2. Nothing is handed over. The input token at p, and the one in the answer's own slot p + 1, tell
   nothing about the answer: the best lookup table from that token, fitted on one half of many
   samples, is at chance on the other half. This is what fails when a generator writes the answer
   where it is asked, a mistake that was made before, or shifts the targets by one.
3. The detector detects: with the answer planted at p or at p + 1 it finds it.

Recall as MAD writes it has the answer as the next token, where it is read only after it was asked
for: of ``noisy_recall`` and ``fuzzy_recall`` the second half of part 2 does not hold. The keys of
``fuzzy_recall`` end nowhere in the prefix, so its proof is that what is asked repeats what the row
said before (tests/tasks/test_fuzzy_recall.py). ``compression`` asks at the end of the row for all
of it (tests/compare/test_readout.py). In ``mini_lm`` the next byte is the answer and text can be
guessed from the byte before, so there the proof is that every window is a piece of the split's own
text and is shifted by exactly one.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tasks import IGNORE, TASKS, Batch
from tests.tasks.reference import SOLVERS

RULED = sorted(SOLVERS)
ALONG_THE_WAY = ("parity", "modular", "s3", "s5")  # asked at every position, the first included
ELSEWHERE = ("mini_lm", "fuzzy_recall", "compression")  # see above
AT_THE_END = ("induction", "reasoning")  # the answer's slot lies behind the sequence


def lookup_accuracy(clues: np.ndarray, answers: np.ndarray) -> float:
    """Accuracy on the second half of the best table clue -> answer of the first half."""
    half = len(clues) // 2
    counts = np.zeros((clues.max() + 1, answers.max() + 1))
    np.add.at(counts, (clues[:half], answers[:half]), 1)
    return float((counts.argmax(axis=1)[clues[half:]] == answers[half:]).mean())


def bound(chance: float, samples: int) -> float:
    """Five standard errors above chance, for the half that is scored."""
    return chance + 5 * float(np.sqrt(chance * (1 - chance) / (samples / 2)))


def clues_and_answers(name: str, batch: Batch, ahead: int) -> tuple[np.ndarray, np.ndarray]:
    """Input tokens ``ahead`` of each scored position, and the answers, in random order."""
    tokens, targets = batch.tokens.numpy(), batch.targets.numpy()
    row, p = np.nonzero(targets != IGNORE)
    keep = p + ahead < tokens.shape[1]
    if name in ALONG_THE_WAY:
        keep &= p > 0  # by the rule the first answer is the first token
    row, p = row[keep], p[keep]
    order = np.random.default_rng(0).permutation(len(row))
    return tokens[row, p + ahead][order], targets[row, p][order]


def test_every_task_is_covered() -> None:
    assert sorted([*RULED, *ELSEWHERE]) == sorted(TASKS)


@pytest.mark.parametrize("name", RULED)
def test_each_target_follows_from_its_prefix_alone(name: str) -> None:
    task = TASKS[name]
    for length in task.test_lengths[:2]:
        batch = task.batch("test", 3, 0, 16, length)
        rows = zip(batch.tokens.tolist(), batch.targets.tolist(), strict=True)
        for tokens, targets in rows:
            solved = [SOLVERS[name](tokens[: p + 1]) for p in range(length)]
            assert [IGNORE if answer is None else answer for answer in solved] == targets


@pytest.mark.parametrize("name", RULED)
@given(seed=st.integers(0, 2**32 - 1), pick=st.integers(0, 2**20))
def test_each_target_follows_from_its_prefix_alone_at_any_length(
    name: str, seed: int, pick: int
) -> None:
    task = TASKS[name]
    length = task.lengths[pick % 40]
    batch = task.batch("train", seed, 1, 1, length)
    tokens, targets = batch.tokens[0].tolist(), batch.targets[0].tolist()
    solved = [SOLVERS[name](tokens[: p + 1]) for p in range(length)]
    assert [IGNORE if answer is None else answer for answer in solved] == targets


@pytest.mark.parametrize("name", RULED)
def test_the_asking_token_does_not_tell_the_answer(name: str) -> None:
    task = TASKS[name]
    clues, answers = clues_and_answers(name, task.batch("train", 0, 0, 8192), ahead=0)
    assert lookup_accuracy(clues, answers) <= bound(task.chance, len(answers))


@pytest.mark.parametrize("name", sorted(set(RULED) - {*AT_THE_END, "noisy_recall"}))
def test_the_answers_own_slot_does_not_tell_it(name: str) -> None:
    task = TASKS[name]
    clues, answers = clues_and_answers(name, task.batch("train", 0, 0, 8192), ahead=1)
    assert lookup_accuracy(clues, answers) <= bound(task.chance, len(answers))


@pytest.mark.parametrize("name", AT_THE_END)
def test_the_answers_own_slot_lies_behind_the_sequence(name: str) -> None:
    batch = TASKS[name].batch("train", 0, 0, 64)
    asked = batch.targets != IGNORE
    assert asked[:, -1].all()
    assert asked.sum() == 64


@pytest.mark.parametrize(
    ("name", "blank"), [("copy", 17), ("mqar", 0), ("mqar64", 0), ("selective_copy", 14)]
)
def test_the_answers_own_slot_is_blank(name: str, blank: int) -> None:
    """Not even the earlier answers are fed back."""
    batch = TASKS[name].batch("train", 0, 0, 256)
    row, p = torch.nonzero(batch.targets != IGNORE, as_tuple=True)
    inside = p + 1 < batch.tokens.shape[1]
    assert (batch.tokens[row[inside], p[inside] + 1] == blank).all()


@pytest.mark.parametrize("ahead", [0, 1])
@pytest.mark.parametrize("name", RULED)
def test_a_planted_answer_is_found(name: str, ahead: int) -> None:
    batch = TASKS[name].batch("train", 0, 0, 1024)
    # One blank more, so that the last position has a slot for its answer too.
    tokens = torch.cat([batch.tokens, torch.zeros_like(batch.tokens[:, :1])], dim=1)
    targets = torch.cat([batch.targets, torch.full_like(tokens[:, :1], IGNORE)], dim=1)
    row, p = torch.nonzero(targets != IGNORE, as_tuple=True)
    tokens[row, p + ahead] = targets[row, p]
    clues, answers = clues_and_answers(name, Batch(tokens, targets), ahead)
    assert lookup_accuracy(clues, answers) == 1.0


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize("length", [128, 512])
def test_text_windows_are_the_splits_own_text_shifted_by_one(split: str, length: int) -> None:
    task = TASKS["mini_lm"]
    text = task.text.tobytes()
    own = [text[first:end] for first, end in task.stretches[split].tolist()]
    batch = task.batch(split, 0, 0, 16, length)
    for tokens, targets in zip(batch.tokens.tolist(), batch.targets.tolist(), strict=True):
        assert targets[:-1] == tokens[1:]
        window = bytes([*tokens, targets[-1]])
        assert any(window in stretch for stretch in own)
