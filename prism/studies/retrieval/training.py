"""Teach a model to ask: fresh facts at every step, so that there is nothing to remember but how.

    loss = CE(next token, logits with the step's tape) + CE(part of each token) + BCE(asks) + aux

The tape of a step holds the facts of that step's episode and is thrown away after it. A question
that it answers costs the model nothing; what is left for its own weights to say is what the tape
refuses, hence "unknown". The labels of parts are what a text with known facts gives: where a
fact's subject, relation and answer stand in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from torch.nn import functional as F

from prism import recipe
from prism.config import PrismConfig, TapeConfig
from prism.inject.token_facts import TokenFacts
from prism.model.prism import Prism
from prism.recipe import StepLoss, exploration, finite, train_step
from prism.studies.retrieval.resume import load_progress, save_progress
from tasks.retrieval import STOP, Episode, Fact, Retrieval

TRAINING_DIM = 4096  # of a step's tape: few facts need no more


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How to train. ``facts`` on the tape of a step; rows of ``length`` tokens."""

    steps: int = 400
    batch_size: int = 16
    length: int = 64
    lr: float = 3e-3
    facts: int = 24
    seed: int = 0


def default_config(seed: int = 0) -> PrismConfig:
    """A small model for the words of :mod:`tasks.retrieval`."""
    return PrismConfig(
        vocab_size=Retrieval.vocab_size,
        d_model=64,
        num_layers=2,
        tape=TapeConfig(content_heads=1, position_heads=1, num_slots=16, d_mem=16),
        half_life_max=64.0,
        holo_mode=True,
        seed=seed,
    )


def tape_of(facts: Sequence[Fact], dim: int = 32_768, seed: int = 0) -> TokenFacts:
    """A tape that holds just these facts."""
    tape = TokenFacts(Retrieval.vocab_size, stop=STOP, dim=dim, seed=seed)
    tape.bind_many(facts)
    return tape


def loss_of(model: Prism, episode: Episode) -> StepLoss:
    """Training loss of ``model`` on an episode whose facts are on its tape."""
    output = model(episode.tokens, tape=tape_of(episode.facts, TRAINING_DIM))
    heard = output.holo
    words = F.cross_entropy(output.logits.flatten(0, 1).float(), episode.following.flatten())
    parts = F.cross_entropy(heard.part_logits.flatten(0, 1), episode.parts.flatten())
    asks = F.binary_cross_entropy_with_logits(heard.ask_logit, episode.asks.to(heard.ask_logit))
    total = words + parts + asks + output.aux_loss
    return StepLoss(total, total.detach(), output.loads)


def train(
    model: Prism,
    plan: Plan,
    folder: Path | None = None,
    save_every: int = 100,
    on_progress: Callable[[int, float], None] | None = None,
) -> list[float]:
    """Train ``model`` in place; the loss of every step taken here.

    Args:
        folder: where model and progress are saved every ``save_every`` steps and at the end; what
            it holds already is gone on with, bit for bit as if there had been no stop.
        on_progress: called after each step with the steps done and the loss.

    Raises:
        ValueError: the folder holds a run of another plan.
        FloatingPointError: the loss is not finite.
    """
    optimizer = recipe.adamw(model, plan.lr)
    task, losses, first = Retrieval(plan.facts), [], 0
    if folder is not None:
        first = load_progress(folder, model, optimizer, asdict(plan))
    model.train()
    for step in range(first, plan.steps):
        rate, epsilon = recipe.cosine(step, plan.steps, plan.lr), exploration(step, plan.steps)
        episode = task.episode("train", plan.seed, step, plan.batch_size, plan.length)
        loss = train_step(model, optimizer, partial(loss_of, model, episode), rate, epsilon)
        losses.append(finite(loss, "loss", f" at step {step + 1} of {plan.steps}"))
        if folder is not None and ((step + 1) % save_every == 0 or step + 1 == plan.steps):
            save_progress(folder, model, optimizer, asdict(plan), step + 1)
        if on_progress is not None:
            on_progress(step + 1, losses[-1])
    model.set_exploration(0.0)
    model.eval()
    return losses
