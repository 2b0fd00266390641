"""The models PRISM is measured against, in pure PyTorch, parameter-matched, with the same call."""

from prism.baselines.factory import BASELINES, MODELS, build, build_with_budget

__all__ = ["BASELINES", "MODELS", "build", "build_with_budget"]
