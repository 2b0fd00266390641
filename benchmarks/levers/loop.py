"""Training loop of the training-method benchmark: warm up, hold the rate, branch, decay to zero.

    rate of step s = peak min(1, (s + 1) / warm-up)             while the rate is held
    rate of step i = peak (1 - (i + 1) / n)                     of a decay of n steps

(WSD, arXiv 2404.06395.) A run goes on at a constant rate; its loss after t steps is that of a copy
which branches off there and decays its rate to zero. Every arm of every method is reported after
such a decay: a model whose rate has not come down looks worse than it is, and the methods better.
Several budgets are one run at the held rate, with a decayed copy for each.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.optim import Optimizer

from benchmarks.levers.text import Batches
from prism import Prism, PrismConfig, recipe
from prism.data import RowBatch
from prism.data.document import IGNORE
from prism.engine.cost.flops import count
from prism.model.protocol import LanguageModel
from prism.recipe import StepLoss

# weight of every target [n, T] from losses, batch and step; the weights of a batch sum to its
# number of targets
Weigh = Callable[[Tensor, RowBatch], Tensor]
Watch = Callable[["Learner"], None]


@dataclass
class Learner:
    """A model in training and what that has cost so far.

    Attributes:
        step: steps done, which is also the place in the stream.
        tokens: read so far.
        flops: of training, from the shapes.
        steps: by name of the model's size, steps taken at that size.
        cpu_seconds: of this process over those steps, as they ran.
    """

    model: LanguageModel
    optimizer: Optimizer
    size: str
    peak: float
    warm_up: int
    flops_per_token: float
    step: int = 0
    tokens: int = 0
    flops: float = 0.0
    steps: dict[str, int] = field(default_factory=dict)
    cpu_seconds: float = 0.0

    def branch(self) -> Learner:
        """A copy that can go its own way."""
        return copy.deepcopy(self)


def start(model: LanguageModel, size: str, peak: float, warm_up: int, length: int) -> Learner:
    """A new model with AdamW, before its first step on rows of ``length`` tokens."""
    optimizer = recipe.adamw(model, peak)
    return Learner(model.train(), optimizer, size, peak, warm_up, count(model, length).training)


def stay(
    learner: Learner,
    batches: Batches,
    until: int,
    weigh: Weigh | None = None,
    watch: Watch | None = None,
) -> None:
    """Train up to step ``until`` at the constant rate; ``watch`` is called after each step."""
    while learner.step < until:
        rate = learner.peak * min(1.0, (learner.step + 1) / learner.warm_up)
        _timed_step(learner, batches, rate, weigh)
        if watch is not None:
            watch(learner)


def decay(learner: Learner, batches: Batches, steps: int, weigh: Weigh | None = None) -> None:
    """Train for ``steps`` more while the rate goes down to zero."""
    for i in range(steps):
        _timed_step(learner, batches, recipe.wsd(i, steps, learner.peak, decay=steps), weigh)


def _timed_step(learner: Learner, batches: Batches, rate: float, weigh: Weigh | None) -> None:
    batch = batches(learner.step)
    begin = time.process_time()
    train_step(learner, batch, rate, weigh)
    learner.cpu_seconds += time.process_time() - begin
    learner.step += 1
    learner.tokens += batch.tokens.numel()
    learner.flops += learner.flops_per_token * batch.tokens.numel()
    learner.steps[learner.size] = learner.steps.get(learner.size, 0) + 1


def train_step(learner: Learner, batch: RowBatch, rate: float, weigh: Weigh | None = None) -> float:
    """One optimiser step; the unweighted loss before it, nats per target."""

    def loss() -> StepLoss:
        output = learner.model(batch.tokens, segment_ids=batch.segment_ids)
        losses = token_losses(output.logits, batch.targets)
        targets = (batch.targets != IGNORE).sum()
        weighted = losses if weigh is None else losses * weigh(losses.detach(), batch)
        own = recipe.own_loss(output, lambda x: token_losses(x, batch.targets).sum() / targets)
        objective = weighted.sum() / targets + own + output.aux_loss
        return StepLoss(objective, losses.detach().sum() / targets, output.loads)

    return recipe.train_step(learner.model, learner.optimizer, loss, rate)


def token_losses(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of every target, ``[n, T]`` nats, 0 where there is none."""
    flat = functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORE, reduction="none"
    )
    return flat.view_as(targets)


@torch.no_grad()
def held_out_loss(model: LanguageModel, batches: Sequence[RowBatch]) -> float:
    """Mean loss over all targets of ``batches``, nats; the model's mode is as before."""
    training = model.training
    model.eval()
    total = targets = 0.0
    for batch in batches:
        logits = model(batch.tokens, segment_ids=batch.segment_ids).logits
        total += token_losses(logits, batch.targets).double().sum().item()
        targets += (batch.targets != IGNORE).sum().item()
    model.train(training)
    return total / targets


@dataclass(frozen=True)
class Budget:
    """``share`` of the baseline's budget: held rate to step ``until``, then ``steps`` of decay."""

    share: float
    until: int
    steps: int


def begin(config: dict[str, Any], seed: int, size: str, rate: float, sizes: Any) -> Learner:
    """A new PRISM before its first step; ``sizes`` has the ``warm_up`` and the ``shape``."""
    model = Prism(PrismConfig.from_dict(config | {"seed": seed}))
    return start(model, size, rate, sizes.warm_up, sizes.shape.length)


def train_whole(learner: Learner, batches: Batches, steps: int, decay_share: float) -> None:
    """Train from the first of ``steps`` to the last, the rate decaying in the given share."""
    last = max(1, round(decay_share * steps))
    stay(learner, batches, steps - last)
    decay(learner, batches, last)


def budgets(shares: Sequence[float], total: int, done: int, decay_share: float) -> list[Budget]:
    """Budgets in steps of the final size.

    Args:
        shares: of the baseline's ``total`` steps, ascending.
        total: steps of the baseline.
        done: what has been spent before, in such steps (a smaller stage may have taken more).
        decay_share: share of each budget in which the rate decays.

    Raises:
        ValueError: nothing of the least budget is left for the held rate.
    """
    budgeted = []
    for share in shares:
        steps = max(1, round(decay_share * share * total))
        until = round(share * total) - done - steps
        if until < 0:
            raise ValueError(f"share = {share:g}: leaves {until} steps; must leave some")
        budgeted.append(Budget(share, until, steps))
    return budgeted


def ends(
    learner: Learner,
    batches: Batches,
    held_out: Sequence[RowBatch],
    plan: Sequence[Budget],
    weigh: Weigh | None = None,
    watch: Watch | None = None,
) -> list[dict[str, Any]]:
    """Train at the held rate, a decayed copy per budget; ``until`` counts from the learner's step.

    Returns:
        per budget ``share, loss, steps`` (by size)``, tokens, flops, cpu_seconds``.
    """
    begun, rows = learner.step, []
    for budget in plan:
        stay(learner, batches, begun + budget.until, weigh, watch)
        end = learner.branch()
        decay(end, batches, budget.steps, weigh)
        row = {"share": budget.share, "loss": held_out_loss(end.model, held_out)}
        row |= {"steps": end.steps, "tokens": end.tokens, "flops": end.flops}
        rows.append(row | {"cpu_seconds": end.cpu_seconds})
    return rows
