"""Calibration: only the gates learn, on a small share of the tokens.

The parts were never trained together. Where two of them have learned to say the same thing, the sum
says it twice; a gate that hears the shared stream can give way. Nothing else moves, so what a part
knows cannot be lost.
"""

from __future__ import annotations

from prism.model.prism import Prism
from prism.modular.owners import ROUTER, owner

LARGEST_SHARE = 0.05  # of all tokens that trunk and parts were trained on


def only_gates(model: Prism) -> Prism:
    """``model`` with everything frozen but its gates."""
    for name, p in model.named_parameters():
        p.requires_grad_(owner(name) == ROUTER)
    return model


def largest_budget(trained: int) -> int:
    """Tokens that a calibration may take after ``trained`` tokens of trunk and parts together."""
    return int(LARGEST_SHARE * trained)
