"""Learning rate and router exploration of a run as functions of the step, from its settings."""

from __future__ import annotations

from prism import recipe
from prism.engine.settings import Settings


def learning_rate(step: int, s: Settings) -> float:
    """Rate of step ``step`` in 0..steps-1, see :mod:`prism.recipe`."""
    warm_up = round(s.warmup * s.steps)
    if s.schedule == "cosine":
        return recipe.cosine(step, s.steps, s.lr, warm_up, s.min_lr_ratio)
    decay = max(1, round(s.decay * s.steps))
    return recipe.wsd(step, s.steps, s.lr, warm_up, decay, s.min_lr_ratio)


def exploration(step: int, s: Settings) -> float:
    """Weight that kinds which lost a token still get: from 1 down to 0."""
    return recipe.exploration(step, s.steps, s.exploration)
