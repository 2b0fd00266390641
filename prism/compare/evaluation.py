"""Evaluation of a model on a task: mean cross-entropy and the task's metric on fixed sequences.

The sequences of validation and test depend on a constant seed, never on the seed of the run, so
all runs of a task are measured on the same data. Metric over the N scored positions of all
batches: accuracy = share of positions whose likeliest token is the target; bits per byte =
mean cross-entropy / ln 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from prism.model.protocol import LanguageModel
    from tasks import Task

EVALUATION_SEED = 0
NOT_SCORED = -100
HIGHER_IS_BETTER = {"accuracy": True, "bits_per_byte": False}
_BATCH = 128  # sequences per evaluation batch at the training length


@dataclass(frozen=True)
class Score:
    """``loss`` in nats per scored position; ``metric`` in the task's unit."""

    loss: float
    metric: float


def scored_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy in nats of ``logits [B, T, V]`` over the scored ``targets [B, T]``."""
    flat = logits.flatten(0, 1).float()
    return functional.cross_entropy(flat, targets.flatten(), ignore_index=NOT_SCORED)


def sequences_at(length: int, train_length: int, sequences: int) -> int:
    """Sequences to measure at ``length``: as many tokens as at the training length, and at
    least an eighth of the sequences, so that long lengths stay affordable and meaningful."""
    same_tokens = sequences * train_length // length
    return min(sequences, max(sequences // 8, same_tokens, 1))


@torch.no_grad()
def evaluate(
    model: LanguageModel, task: Task, split: str, sequences: int, length: int | None = None
) -> Score:
    """Measure ``model`` on ``sequences`` of a split.

    Args:
        split: "validation" or "test".
        sequences: how many at least; rounded up to whole batches of constant token count.
        length: tokens per sequence; None = the training length.
    """
    length = task.train_length if length is None else length
    rows = min(sequences, max(1, _BATCH * task.train_length // length))
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    nats = right = scored = 0.0
    for index in range(math.ceil(sequences / rows)):
        batch = task.batch(split, EVALUATION_SEED, index, rows, length=length)
        targets = batch.targets.to(device)
        logits = model(batch.tokens.to(device)).logits
        count = int((targets != NOT_SCORED).sum())
        nats += float(scored_loss(logits, targets)) * count
        right += int((logits.argmax(dim=-1) == targets).sum())
        scored += count
    model.train(was_training)
    loss = nats / scored
    return Score(loss, loss / math.log(2) if task.metric == "bits_per_byte" else right / scored)


def evaluate_lengths(model: LanguageModel, task: Task, sequences: int) -> dict[int, Score]:
    """Test scores at the training length and at every test length of the task."""
    lengths = sorted({task.train_length, *task.test_lengths})
    return {
        length: evaluate(
            model, task, "test", sequences_at(length, task.train_length, sequences), length
        )
        for length in lengths
    }
