"""Training of one model on a mix of domains, and its cost in tokens, FLOPs and CPU seconds.

The recipe of :mod:`prism.recipe` on a cosine schedule; frozen parameters stay. The backward pass
counts as two more matrix products per product, one for the gradient of its input and one for that
of its weights; frozen weights save the second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from prism import recipe
from prism.engine.cost.flops import count
from prism.model.prism import Prism
from prism.modular.output_penalty import out_of_domain_penalty
from prism.recipe import StepLoss, finite, train_step
from prism.studies.modular.domains import DOMAINS, draw, draw_mix, out_of_domain_rows, row_loss

OnStep = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A training phase: ``steps`` of ``rows`` rows of ``length`` tokens, domains in ``shares``; the
    batches are those of ``seed`` from index ``first`` on. Rows of other domains than ``domain`` are
    out of domain: the output-norm penalty is larger there; None = all domains are its own."""

    steps: int
    lr: float
    rows: int
    length: int
    shares: Mapping[str, float]
    seed: int
    first: int
    domain: str | None = None


@dataclass(frozen=True)
class Cost:
    """Cost of a phase: tokens, FLOPs by the shapes, seconds of one CPU core."""

    tokens: int
    flops: float
    seconds: float


def train(model: Prism, phase: Phase, on_step: OnStep = lambda step: None) -> Cost:
    """Train ``model`` in place.

    Raises:
        FloatingPointError: the loss is not finite.
    """
    start = time.process_time()
    optimizer = recipe.adamw(model, phase.lr)
    out_of_domain = out_of_domain_rows(phase.shares, phase.domain, phase.rows)

    def loss_of(step: int) -> StepLoss:
        tokens, targets = draw_mix(
            phase.shares, "train", phase.seed, phase.first + step, phase.rows, phase.length
        )
        output = model(tokens)
        loss, penalty = row_loss(output.logits, targets), output.aux_loss
        if out_of_domain is not None:
            penalty = penalty + out_of_domain_penalty(output.penalty, out_of_domain).mean()
        own = recipe.own_loss(output, lambda logits: row_loss(logits, targets))
        return StepLoss(loss + own + penalty, loss, output.loads)

    model.train()
    for step in range(phase.steps):
        rate = recipe.cosine(step, phase.steps, phase.lr)
        epsilon = recipe.exploration(step, phase.steps)
        loss = train_step(model, optimizer, partial(loss_of, step), rate, epsilon)
        finite(loss, "loss", f" at step {step + 1} of {phase.steps}")
        on_step(step + 1)
    model.set_exploration(0.0)
    model.eval()
    read = phase.steps * phase.rows * phase.length
    return Cost(read, read * training_flops(model, phase.length), time.process_time() - start)


def training_flops(model: Prism, length: int) -> float:
    """Forward and backward FLOPs per token of ``model`` as it is frozen now."""
    matrices = (m.weight for m in model.modules() if isinstance(m, nn.Linear))
    frozen = sum(2 * weight.numel() for weight in matrices if not weight.requires_grad)
    return count(model, length).training - frozen


@torch.no_grad()
def losses(model: Prism, rows: int, length: int, split: str = "test") -> dict[str, float]:
    """Nats per scored token by domain, on the same rows for every model."""
    return {
        domain: row_loss(model(tokens).logits, targets).item()
        for domain in DOMAINS
        for tokens, targets in [draw(domain, split, 0, 0, rows, length)]
    }


@torch.no_grad()
def openness(model: Prism, rows: int, length: int) -> dict[str, dict[str, float]]:
    """Mean gate by domain and kind, 0 (closed) to 1 (open)."""
    mean: dict[str, dict[str, float]] = {}
    for domain in DOMAINS:
        tokens, _ = draw(domain, "test", 0, 0, rows, length)
        layers = model(tokens, routing=True).routing
        kinds = model.config.expert_kinds
        gates = {
            k: [x.probability[..., x.kinds.index(k)].mean() for x in layers if k in x.kinds]
            for k in kinds
        }
        mean[domain] = {k: float(sum(each) / len(each)) for k, each in gates.items()}
    return mean
