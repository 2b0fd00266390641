"""Train one model on one task.

AdamW (betas .9, .95) with weight decay 0.1 on matrices only, gradient norm clipped at 1, learning
rate warmed up linearly over the first tenth of the steps and then on a cosine to a tenth of its
peak; loss = cross-entropy over scored positions + the model's auxiliary loss. This recipe is the
common denominator of the papers that the baselines come from; nothing in it knows which model it
trains.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from prism.compare.evaluation import Score, evaluate, evaluate_lengths, scored_loss

if TYPE_CHECKING:
    from prism.model.protocol import LanguageModel
    from tasks import Task

WARM_UP = 0.1
FINAL_RATE = 0.1
WEIGHT_DECAY = 0.1
CLIP_NORM = 1.0
LOSS_SMOOTHING = 0.9
CURVE_POINTS = 10
CURVE_SEQUENCES = 128  # at least; a quarter of the final evaluation if that is more

OnProgress = Callable[[int, float], None]


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """How to train: ``evaluation`` is the size in sequences of the final validation and test."""

    steps: int
    batch_size: int
    lr: float
    seed: int
    evaluation: int


@dataclass
class RunResult:
    """What a run gives; ``error`` is set, and ``val`` and ``test`` are None, when it diverged.

    Attributes:
        parameters: trainable numbers.
        state_bytes: what decoding carries after the training length.
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


class DivergedError(Exception):
    """The loss or a score is not finite."""


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Rate of step ``step`` in 0..steps-1: up to ``peak``, then down to a tenth of it."""
    warm_up = max(1, round(WARM_UP * steps))
    if step < warm_up:
        return peak * (step + 1) / warm_up
    progress = (step + 1 - warm_up) / max(1, steps - warm_up)
    return peak * (FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * progress)))


def exploration(step: int, steps: int) -> float:
    """Router exploration of a step: from 1 to 0 over the first half of the steps."""
    return max(0.0, 1.0 - 2.0 * step / steps)


def parameter_groups(model: torch.nn.Module) -> list[dict[str, Any]]:
    """Matrices are decayed; vectors, scalars and what carries ``_no_weight_decay`` are not."""

    def decays(p: torch.nn.Parameter) -> bool:
        return p.ndim >= 2 and not getattr(p, "_no_weight_decay", False)

    trainable = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trainable if decays(p)], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in trainable if not decays(p)], "weight_decay": 0.0},
    ]


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
    except DivergedError as error:
        result.error = str(error)
    result.seconds = time.perf_counter() - start
    return result


def _fit(
    model: LanguageModel, task: Task, plan: TrainingPlan, result: RunResult, report: OnProgress
) -> None:
    optimizer = torch.optim.AdamW(
        parameter_groups(model), lr=plan.lr, betas=(0.9, 0.95), fused=True
    )
    sequences = max(CURVE_SEQUENCES, plan.evaluation // 4)
    points = {math.ceil(plan.steps * i / CURVE_POINTS) for i in range(1, CURVE_POINTS + 1)}
    model.train()
    tokens, clock, smooth = 0, 0.0, math.nan
    for step in range(plan.steps):
        begin = time.perf_counter()
        batch = task.batch("train", plan.seed, step, plan.batch_size)
        model.set_exploration(exploration(step, plan.steps))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, plan.steps, plan.lr)
        loss = _step(model, optimizer, batch.tokens, batch.targets)
        clock += time.perf_counter() - begin
        tokens += batch.tokens.numel()
        result.tokens_per_second = tokens / clock
        if not math.isfinite(loss):
            raise DivergedError(f"loss is {loss} at step {step + 1} of {plan.steps}")
        smooth = loss if step == 0 else LOSS_SMOOTHING * smooth + (1 - LOSS_SMOOTHING) * loss
        if step + 1 in points:
            model.set_exploration(0.0)
            score = _finite(evaluate(model, task, "validation", sequences), "validation")
            point = {"loss": smooth, "val_loss": score.loss, "val_metric": score.metric}
            result.curve.append({"step": step + 1, **point})
        report(step + 1, smooth)
    model.set_exploration(0.0)


def _step(
    model: LanguageModel,
    optimizer: torch.optim.Optimizer,
    tokens: torch.Tensor,
    targets: torch.Tensor,
) -> float:
    """One optimizer step on ``tokens, targets [B, T]``; the cross-entropy before it."""
    device = next(model.parameters()).device
    output = model(tokens.to(device))
    loss = scored_loss(output.logits, targets.to(device))
    optimizer.zero_grad(set_to_none=True)
    (loss + output.aux_loss).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
    optimizer.step()
    model.after_step(output.loads)
    return loss.item()


def _measure(model: LanguageModel, task: Task, plan: TrainingPlan, result: RunResult) -> None:
    val = _finite(evaluate(model, task, "validation", plan.evaluation), "validation")
    tests = evaluate_lengths(model, task, plan.evaluation)
    test = _finite(tests[task.train_length], "test")
    result.val = {"loss": val.loss, task.metric: val.metric}
    by_length = {
        str(length): score.metric if math.isfinite(score.metric) else None
        for length, score in tests.items()
    }
    result.test = {"loss": test.loss, task.metric: test.metric, "by_length": by_length}


def _finite(score: Score, split: str) -> Score:
    if not math.isfinite(score.loss):
        raise DivergedError(f"{split} loss is {score.loss}")
    return score
