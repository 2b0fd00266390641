"""Models by name, matched in size by one width.

Every mixer keeps the size its paper gives it; the width of the SwiGLU MLP is then the integer that
brings the number of parameters nearest to the model it is compared with. A stack without MLPs first
takes as many layers as come nearest at its paper's width of a head, and then the head's width; its
config says that depth. :mod:`prism.baselines.arms` says what the arms differ in. ``ssm`` is Mamba-2
with MLPs and the initialisation of GPT-2, an arm of earlier results that is no longer compared.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from prism.baselines.arms import (
    BARE,
    BARE_STRONG,
    LOOKUP,
    LOOKUP_ATTENTION,
    PLAIN,
    STRONG,
    STRONG_ATTENTION,
    Arm,
)
from prism.baselines.gated_deltanet import GatedDeltaMixer
from prism.baselines.mamba2 import Mamba2Mixer, usual_head_dim
from prism.baselines.stack import ResidualStack
from prism.baselines.transformer import Transformer
from prism.config import PrismConfig
from prism.model.checkpoint import load_into
from prism.model.prism import Prism
from prism.model.protocol import LanguageModel

TOLERANCE = 0.02
Maker = Callable[[PrismConfig, int], LanguageModel]


def _stack(kind: str, mixer: Callable[..., nn.Module], arm: Arm) -> Maker:
    return partial(ResidualStack, make_mixer=mixer, kind=kind, arm=arm)


BASELINES: dict[str, Maker] = {
    "transformer": Transformer,
    "transformer-strong": partial(Transformer, kind="transformer-strong", arm=STRONG_ATTENTION),
    "ssm": _stack("ssm", Mamba2Mixer, PLAIN),
    "ssm-plain": _stack("ssm-plain", Mamba2Mixer, BARE),
    "ssm-strong": _stack("ssm-strong", Mamba2Mixer, BARE_STRONG),
    "ssm-mlp-strong": _stack("ssm-mlp-strong", Mamba2Mixer, STRONG),
    "gdn": _stack("gdn", GatedDeltaMixer, PLAIN),
    "gdn-strong": _stack("gdn-strong", GatedDeltaMixer, STRONG),
    "transformer-lookup": partial(Transformer, kind="transformer-lookup", arm=LOOKUP_ATTENTION),
    "ssm-lookup": _stack("ssm-lookup", Mamba2Mixer, LOOKUP),
    "gdn-lookup": _stack("gdn-lookup", GatedDeltaMixer, LOOKUP),
    "gdn-neg": _stack("gdn-neg", partial(GatedDeltaMixer, max_beta=2.0), PLAIN),
}
BARE_KINDS = ("ssm-plain", "ssm-strong")  # without an MLP
# PRISM and its variants, of the same size: what each changes in the config. ``prism-top2`` lets two
# of the three kinds run per token, most often the neural and the memory kind.
PRISMS: dict[str, dict[str, Any]] = {
    "prism": {},
    "prism-top2": {"router_topk": 2, "balance_target": (0.95, 0.85, 0.2)},
    "prism-layer": {"tape": {"scope": "layer"}},
}
MODELS = (*PRISMS, *BASELINES)


def grows_with_context(name: str) -> bool:
    """True if the state of the model called ``name`` grows with every token: it attends."""
    maker = BASELINES.get(name)
    return getattr(maker, "func", maker) is Transformer


def build(name: str, config: PrismConfig, **overrides: Any) -> LanguageModel:
    """A model of the size of ``Prism(config)``, ready to train.

    Args:
        name: one of ``MODELS``.
        config: the PRISM model to be compared with. A baseline takes vocab_size, d_model,
            num_layers, chunk_size, tie_embeddings and seed from it, and its size.
        **overrides: fields of ``config`` to replace first.

    Raises:
        ValueError: an unknown name, a bad override, or a size that no width reaches to 2%.
    """
    if name not in MODELS:
        raise ValueError(f"model = {name!r}: must be one of {MODELS}")
    if overrides:
        config = PrismConfig.from_dict({**config.to_dict(), **overrides})
    if name in PRISMS:
        values = config.to_dict()
        for field, change in PRISMS[name].items():
            values[field] = values[field] | change if isinstance(change, dict) else change
        return Prism(PrismConfig.from_dict(values))
    with torch.device("meta"):
        parameters = Prism(config).num_parameters()
    return build_with_budget(name, config, parameters)


def load_saved(directory: str | Path, device: str | torch.device = "cpu") -> LanguageModel:
    """The model that ``model.save`` wrote, PRISM or a baseline, in evaluation mode.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: the files do not belong together; names the field or tensor.
    """
    makers = {"prism": lambda config, _: Prism(config), **BASELINES}
    return load_into(makers, Path(directory), device)


def build_with_budget(name: str, config: PrismConfig, parameters: int) -> LanguageModel:
    """The baseline ``name`` with as nearly ``parameters`` parameters as its width allows.

    Args:
        name: one of ``BASELINES``.
        config: vocab_size, d_model, num_layers, chunk_size, tie_embeddings and seed are used.
        parameters: the wanted ``num_parameters()``.

    Raises:
        ValueError: an unknown name, or the nearest size is more than 2% away.
    """
    if name not in BASELINES:
        raise ValueError(f"baseline = {name!r}: must be one of {tuple(BASELINES)}")
    make = BASELINES[name]
    if name in BARE_KINDS:
        config = _deepened(make, config, parameters)
    with torch.device("meta"):
        smallest, second = (make(config, hidden).num_parameters() for hidden in (1, 2))
    hidden = max(1, 1 + round((parameters - smallest) / (second - smallest)))
    nearest = smallest + (hidden - 1) * (second - smallest)
    if abs(nearest - parameters) > TOLERANCE * parameters:
        raise ValueError(
            f"parameters = {parameters}: {name!r} at d_model {config.d_model} and "
            f"{config.num_layers} layers has at least {smallest} and comes no nearer than {nearest}"
        )
    return make(config, hidden)


def _deepened(make: Maker, config: PrismConfig, parameters: int) -> PrismConfig:
    """``config`` with the depth, at least its own, that comes nearest to ``parameters`` with heads
    of the usual width."""
    usual = usual_head_dim(config.d_model)

    def of_depth(layers: int) -> PrismConfig:
        return dataclasses.replace(config, num_layers=layers, memory_layers=None)

    with torch.device("meta"):
        one, two = (make(of_depth(n), usual).num_parameters() for n in (1, 2))
    depth = 1 + round((parameters - one) / (two - one))
    return of_depth(max(config.num_layers, depth))
