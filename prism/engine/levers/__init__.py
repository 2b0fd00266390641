"""Training methods that spend fewer tokens or FLOPs: growth, modular phases, token weights.

Each is a flag of a run, off by default; a curriculum of the data is in ``prism.data``.
"""

from prism.engine.levers.modular import modular_flags
from prism.engine.levers.progressive import Stage, grown_checkpoint, stages
from prism.engine.levers.token_rules import RecyclingWeights, excess_weights
from prism.engine.levers.token_weights import TOKEN_WEIGHTS, WeightedCrossEntropy

__all__ = [
    "TOKEN_WEIGHTS",
    "RecyclingWeights",
    "Stage",
    "WeightedCrossEntropy",
    "excess_weights",
    "grown_checkpoint",
    "modular_flags",
    "stages",
]
