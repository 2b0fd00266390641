"""Baselines: a Transformer, Mamba-2 and Gated DeltaNet in pure PyTorch, with PRISM's call.

``build(name, config)`` makes one with as many parameters as ``Prism(config)`` (within 2%): every
mixer has its paper's size, the width of the SwiGLU MLP is what is matched. Each is there in a plain
and a strong arm: :mod:`prism.baselines.arms`.
"""

from prism.baselines.arms import ARMS, family, plain_arm
from prism.baselines.factory import (
    BASELINES,
    MODELS,
    build,
    build_with_budget,
    grows_with_context,
    load_saved,
)

__all__ = [
    "ARMS",
    "BASELINES",
    "MODELS",
    "build",
    "build_with_budget",
    "family",
    "grows_with_context",
    "load_saved",
    "plain_arm",
]
