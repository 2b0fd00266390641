"""Train one model on one task and measure it.

The recipe of :mod:`prism.recipe` on a cosine schedule; loss = cross-entropy over scored positions +
the model's auxiliary loss. Nothing here knows which model it trains.

Measured are the mean cross-entropy and the task's metric over the N scored positions of fixed
sequences: accuracy = share of positions whose likeliest token is the target; bits per byte =
mean cross-entropy / ln 2. The sequences of validation and test depend on a constant seed, never on
the seed of the run, so all runs of a task are measured on the same data.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from prism import recipe
from prism.recipe import StepLoss, finite, own_loss, train_step

if TYPE_CHECKING:
    from prism.model.protocol import LanguageModel
    from tasks import Batch, Task

LOSS_SMOOTHING = 0.9
CURVE_POINTS = 10
CURVE_SEQUENCES = 128  # at least; a quarter of the final evaluation if that is more
EVALUATION_SEED = 0
NOT_SCORED = -100
HIGHER_IS_BETTER = {"accuracy": True, "bits_per_byte": False}
EVALUATION_BATCH = 128  # sequences per evaluation batch at the training length

OnProgress = Callable[[int, float], None]


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """Sizes and recipe of one run.

    Attributes:
        evaluation: sequences of the final measurements.
        warm_up: share of the steps in which the rate rises.
        test: measure the test set too; a search looks at validation only.
    """

    steps: int
    batch_size: int
    lr: float
    seed: int
    evaluation: int
    warm_up: float = recipe.WARM_UP
    test: bool = True


@dataclass
class RunResult:
    """Result of a run; ``error`` is set, and ``val`` and ``test`` are None, when it diverged;
    ``test`` also where it was not asked for.

    Attributes:
        parameters: trainable numbers.
        state_bytes: state of one sequence after the training length.
        curve: ``{step, loss, val_loss, val_metric}`` at every tenth of the run; ``loss`` is the
            moving average of the training loss.
        val, test: ``loss`` and the task's metric under its own name; ``test`` also has
            ``by_length``, the metric at every test length.
        tokens_per_second: of training, without evaluation.
        seconds: of the whole run.
    """

    parameters: int
    state_bytes: int
    curve: list[dict[str, float]] = field(default_factory=list)
    val: dict[str, float] | None = None
    test: dict[str, Any] | None = None
    tokens_per_second: float = 0.0
    seconds: float = 0.0
    error: str | None = None


def train(
    model: LanguageModel, task: Task, plan: TrainingPlan, on_progress: OnProgress | None = None
) -> RunResult:
    """Train ``model`` in place and measure it.

    Args:
        model: on the device to train on.
        on_progress: called after each step with the number of steps done and the smoothed loss.
    """
    start = time.perf_counter()
    result = RunResult(
        parameters=model.num_parameters(), state_bytes=model.state_bytes(task.train_length)
    )
    try:
        _fit(model, task, plan, result, on_progress or (lambda step, loss: None))
        _measure(model, task, plan, result)
    except FloatingPointError as error:
        result.error = str(error)
    result.seconds = time.perf_counter() - start
    return result


def _fit(
    model: LanguageModel, task: Task, plan: TrainingPlan, result: RunResult, report: OnProgress
) -> None:
    optimizer = recipe.adamw(model, plan.lr)
    sequences = max(CURVE_SEQUENCES, plan.evaluation // 4)
    points = {math.ceil(plan.steps * i / CURVE_POINTS) for i in range(1, CURVE_POINTS + 1)}
    model.train()
    warm_up = recipe.warm_up_steps(plan.steps, plan.warm_up)
    tokens, clock, smooth = 0, 0.0, math.nan
    for step in range(plan.steps):
        begin = time.perf_counter()
        batch = task.batch("train", plan.seed, step, plan.batch_size)
        loss = train_step(
            model,
            optimizer,
            partial(_loss, model, batch),
            recipe.cosine(step, plan.steps, plan.lr, warm_up),
            recipe.exploration(step, plan.steps),
        )
        clock += time.perf_counter() - begin
        tokens += batch.tokens.numel()
        result.tokens_per_second = tokens / clock
        finite(loss, "loss", f" at step {step + 1} of {plan.steps}")
        smooth = loss if step == 0 else LOSS_SMOOTHING * smooth + (1 - LOSS_SMOOTHING) * loss
        if step + 1 in points:
            model.set_exploration(0.0)
            score = evaluate(model, task, "validation", sequences)
            finite(score.loss, "validation loss")
            point = {"loss": smooth, "val_loss": score.loss, "val_metric": score.metric}
            result.curve.append({"step": step + 1, **point})
        report(step + 1, smooth)
    model.set_exploration(0.0)


def _loss(model: LanguageModel, batch: Batch) -> StepLoss:
    """Loss of ``model`` on ``batch``; the cross-entropy is what is reported."""
    device = next(model.parameters()).device
    output = model(batch.tokens.to(device))
    loss = scored_loss(output.logits, batch.targets.to(device))
    own = own_loss(output, lambda logits: scored_loss(logits, batch.targets.to(device)))
    return StepLoss(loss + own + output.aux_loss, loss, output.loads)


def _measure(model: LanguageModel, task: Task, plan: TrainingPlan, result: RunResult) -> None:
    val = evaluate(model, task, "validation", plan.evaluation)
    finite(val.loss, "validation loss")
    result.val = {"loss": val.loss, task.metric: val.metric}
    if not plan.test:
        return
    tests = {
        length: evaluate(
            model, task, "test", sequences_at(length, task.train_length, plan.evaluation), length
        )
        for length in sorted({task.train_length, *task.test_lengths})
    }
    test = tests[task.train_length]
    if not math.isfinite(test.loss):
        result.val = None
    finite(test.loss, "test loss")
    by_length = {
        str(length): score.metric if math.isfinite(score.metric) else None
        for length, score in tests.items()
    }
    result.test = {"loss": test.loss, task.metric: test.metric, "by_length": by_length}


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
    rows = min(sequences, max(1, EVALUATION_BATCH * task.train_length // length))
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
