"""Every hyper-parameter of a PRISM model, as frozen dataclasses that validate themselves.

A config is the whole description of a model: two models built from equal configs have equal
weights (``seed``), and a checkpoint is a config (JSON) beside its weights. A bad value raises
``ValueError`` naming the field, the value and what is allowed.
"""

from prism.config.model import EXPERT_KINDS, ROUTER_GATES, PrismConfig
from prism.config.symbolic import (
    CAUSAL_PRIMITIVES,
    PRIMITIVES,
    TOKEN_PRIMITIVES,
    TURN,
    SymbolicConfig,
)
from prism.config.tape import TAPE_SCOPES, TapeConfig

__all__ = [
    "CAUSAL_PRIMITIVES",
    "EXPERT_KINDS",
    "PRIMITIVES",
    "ROUTER_GATES",
    "TAPE_SCOPES",
    "TOKEN_PRIMITIVES",
    "TURN",
    "PrismConfig",
    "SymbolicConfig",
    "TapeConfig",
]
