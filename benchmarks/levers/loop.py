"""The one loop of the lever benchmark: warm up, stay, branch off, decay to nothing.

    rate of step s = peak min(1, (s + 1) / warm-up)             while the rate stays
    rate of step i = peak (1 - (i + 1) / n)                     of a decay of n steps

(WSD, arXiv 2404.06395.) A run is a trunk at a constant rate; to know what it is worth after t
steps, a copy branches off and its rate decays to zero. Every arm of every lever is shown after
such a decay: a model whose rate has not come down looks worse than it is, and levers look better.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional
from torch.optim import AdamW, Optimizer

from benchmarks.levers.text import Batches
from prism.compare.training import CLIP_NORM, parameter_groups
from prism.data import RowBatch
from prism.data.pack import IGNORE
from prism.engine.cost.flops import count
from prism.model.protocol import LanguageModel

BETAS = (0.9, 0.95)

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
    optimizer = AdamW(parameter_groups(model), lr=peak, betas=BETAS, fused=True)
    return Learner(model.train(), optimizer, size, peak, warm_up, training_flops(model, length))


def training_flops(model: LanguageModel, length: int) -> float:
    """Forward and backward, per token, from the shapes alone."""
    return count(model, length).training


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
        _timed_step(learner, batches, learner.peak * (1 - (i + 1) / steps), weigh)


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
    model, optimizer = learner.model, learner.optimizer
    for group in optimizer.param_groups:
        group["lr"] = rate
    output = model(batch.tokens, segment_ids=batch.segment_ids)
    losses = token_losses(output.logits, batch.targets)
    targets = (batch.targets != IGNORE).sum()
    weighted = losses if weigh is None else losses * weigh(losses.detach(), batch)
    optimizer.zero_grad(set_to_none=True)
    (weighted.sum() / targets + output.aux_loss).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
    optimizer.step()
    model.after_step(output.loads)
    return (losses.detach().sum() / targets).item()


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
