"""Properties of every task: pure batches, separate streams, ids in range, clear refusals."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tasks import IGNORE, SPLITS, SUITES, TASKS, Task, get_task

ALL = list(TASKS)
WORDS = st.integers(0, 2**32 - 1)


def test_the_registry_lists_the_tasks_in_reading_order() -> None:
    assert ALL[:7] == ["copy", "induction", "mqar", "reasoning", "parity", "modular", "mini_lm"]
    assert tuple(ALL[:7]) == SUITES["core"] and tuple(ALL) == SUITES["all"]
    assert all(name in TASKS for suite in SUITES.values() for name in suite)
    assert all(get_task(name) is task and task.name == name for name, task in TASKS.items())


def test_an_unknown_task_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"task 'sort': must be one of copy, induction, mqar"):
        get_task("sort")


def test_importing_the_tasks_reads_no_corpus() -> None:
    code = "import sys, tasks; assert 'pydoc_data' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("task", TASKS.values(), ids=ALL)
def test_lengths_to_report_start_at_the_training_length(task: Task) -> None:
    assert task.test_lengths[0] == task.train_length
    assert all(length in task.lengths for length in task.test_lengths)


@pytest.mark.parametrize("task", TASKS.values(), ids=ALL)
@given(split=st.sampled_from(SPLITS), seed=WORDS, index=WORDS, rows=st.integers(1, 5))
def test_a_batch_is_a_pure_function_of_its_arguments(
    task: Task, split: str, seed: int, index: int, rows: int
) -> None:
    once = task.batch(split, seed, index, rows)
    task.batch(split, seed, (index + 1) % 2**32, rows)
    again = task.batch(split, seed, index, rows)
    assert torch.equal(once.tokens, again.tokens)
    assert torch.equal(once.targets, again.targets)


@pytest.mark.parametrize("task", TASKS.values(), ids=ALL)
@given(split=st.sampled_from(SPLITS), seed=WORDS, rows=st.integers(1, 5), pick=st.integers(0, 99))
def test_shapes_dtypes_and_ranges(task: Task, split: str, seed: int, rows: int, pick: int) -> None:
    length = task.lengths[pick % len(task.lengths)]
    batch = task.batch(split, seed, 0, rows, length)
    assert batch.tokens.shape == batch.targets.shape == (rows, length)
    assert batch.tokens.dtype == batch.targets.dtype == torch.int64
    assert batch.tokens.min() >= 0 and batch.tokens.max() < task.vocab_size
    asked = batch.targets[batch.targets != IGNORE]
    assert asked.min() >= 0 and asked.max() < task.vocab_size
    assert (batch.targets != IGNORE).any(dim=1).all(), "every row asks something"


@pytest.mark.parametrize("task", TASKS.values(), ids=ALL)
def test_no_row_is_in_two_splits_two_seeds_two_batches_or_twice_in_one(task: Task) -> None:
    rows = [
        tuple(row)
        for split in SPLITS
        for seed in (0, 1)
        for index in (0, 1)
        for row in task.batch(split, seed, index, 32).tokens.tolist()
    ]
    assert len(set(rows)) == len(rows)


def test_tasks_with_the_same_rule_draw_from_streams_of_their_own() -> None:
    bits = TASKS["parity"].batch("train", 0, 0, 8).tokens
    digits = TASKS["modular"].batch("train", 0, 0, 8).tokens
    assert not torch.equal(bits, digits * 2 // 5)


@pytest.mark.parametrize("task", TASKS.values(), ids=ALL)
def test_the_rows_of_a_batch_are_independent_draws(task: Task) -> None:
    """Two neighbouring rows agree in their answers about as often as chance says."""
    targets = task.batch("train", 0, 0, 2048).targets
    places = torch.arange(targets.shape[1]) * (targets != IGNORE)
    last = targets.gather(1, places.amax(dim=1, keepdim=True))
    agree = (last[0::2] == last[1::2]).double().mean().item()
    share = torch.bincount(last.flatten()).double() / len(last)
    expected = (share**2).sum().item()
    assert abs(agree - expected) < 5 * (expected * (1 - expected) / 1024) ** 0.5


@pytest.mark.parametrize("task", TASKS.values(), ids=ALL)
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("dev", 0, 0, 4), "split = 'dev': must be one of train, validation, test"),
        (("train", -1, 0, 4), r"seed = -1: must be an integer in \[0, 2\*\*32\)"),
        (("train", 0, 2**32, 4), r"index = 4294967296: must be an integer in \[0, 2\*\*32\)"),
        (("train", 0, 0, 0), "batch_size = 0: must be an integer >= 1"),
        (("train", 0, 0, 4, 0), "length = 0: must be one of "),
        (("train", 0, 0, 4, 32.0), r"length = 32\.0: must be one of "),
    ],
)
def test_bad_arguments_are_refused_in_one_line(task: Task, arguments: tuple, line: str) -> None:
    with pytest.raises(ValueError, match=f"^{task.name}: {line}") as refusal:
        task.batch(*arguments)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("task", TASKS.values(), ids=ALL)
def test_generation_is_not_what_training_waits_for(task: Task) -> None:
    task.batch("train", 0, 0, 1)
    seconds = []
    for index in range(3):
        start = time.perf_counter()
        task.batch("train", 0, index, 256, task.test_lengths[-1])
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.5
