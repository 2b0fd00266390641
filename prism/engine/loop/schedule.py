"""Learning rate and router exploration as functions of the step: nothing to save, nothing to drift.

    warm up   rate = peak (s + 1) / W                                    s < W
    cosine    rate = peak (r + (1 - r) (1 + cos(pi p)) / 2)              p from 0 to 1 after W
    wsd       rate = peak, then peak (1 - (1 - r) p)                     p over the last fraction

r is the last rate over the peak. WSD (warm up, stay, decay: arXiv 2404.06395) lets a run be
extended: its long middle does not depend on the number of steps.
"""

from __future__ import annotations

import math

from prism.engine.settings import Settings


def learning_rate(step: int, s: Settings) -> float:
    """Rate of step ``step`` in 0..steps-1."""
    warm_up = round(s.warmup * s.steps)
    if step < warm_up:
        return s.lr * (step + 1) / warm_up
    if s.schedule == "cosine":
        progress = (step + 1 - warm_up) / max(1, s.steps - warm_up)
        half = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
        return s.lr * (s.min_lr_ratio + (1 - s.min_lr_ratio) * half)
    length = max(1, round(s.decay * s.steps))
    progress = min(max(step + 1 - (s.steps - length), 0) / length, 1.0)
    return s.lr * (1 - (1 - s.min_lr_ratio) * progress)


def exploration(step: int, s: Settings) -> float:
    """Weight that kinds which lost a token still get: from 1 down to 0."""
    length = s.exploration * s.steps
    return max(0.0, 1.0 - step / length) if length > 0 else 0.0
