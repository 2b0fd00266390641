"""Variants of the default model: each lacks one part or has one more, at the default's size.

What a variant saves or costs in parameters goes to the width of its neural experts, so that all
have as many numbers to train, within half a percent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from prism.config import PrismConfig
from prism.model.prism import Prism

TOLERANCE = 0.005
WHOLE = "whole"
# name: fields that change; a dot leads into a nested config
VARIANTS: dict[str, dict[str, Any]] = {
    WHOLE: {},
    "no filter": {"neural_taps": 1},
    "no reset": {"bus_reset": False},
    "no symbolic expert": {"expert_kinds": ("neural", "memory")},
    "no lookup": {"symbolic.suffixes": ()},
    "no dials": {"symbolic.dials": 0},
    "no reflections": {"symbolic.reflections": 0},
    "rotors that do not fade": {"symbolic.fade": 1.0},
    "no own answers": {"symbolic.answers": False, "symbolic.dials": 0, "symbolic.reflections": 0},
    "no memory expert": {"expert_kinds": ("neural", "symbolic")},
    "no content heads": {"tape.content_heads": 0, "tape.position_heads": 4},
    "no position heads": {"tape.content_heads": 4, "tape.position_heads": 0},
    "tape of each layer": {"tape.scope": "layer"},
    "one rate on the bus": {"num_rates": 1},
    "causal primitives only": {"symbolic.primitives": ("latch", "flipflop", "counter", "rotor")},
    "with token skip": {"token_skip": True},
    "with independent gates": {"router_gates": "independent", "expert_output_penalty": 0.0},
}


def changed(config: PrismConfig, fields: Mapping[str, Any]) -> PrismConfig:
    """``config`` with ``fields`` of other values."""
    values = config.to_dict()
    for name, value in fields.items():
        part, _, field = name.rpartition(".")
        (values[part] if part else values)[field] = value
    return PrismConfig.from_dict(values)


def of_equal_size(config: PrismConfig, fields: Mapping[str, Any]) -> PrismConfig:
    """``config`` with ``fields`` of other values and neural experts of another width, so that its
    model has as many parameters.

    Raises:
        ValueError: no width comes within ``TOLERANCE``.
    """
    wanted = _size(config)
    variant = changed(config, fields)
    small, wide = (_size(changed(variant, {"neural_hidden": h})) for h in (1, 2))
    hidden = max(1, 1 + round((wanted - small) / (wide - small)))
    found = changed(variant, {"neural_hidden": hidden})
    size = _size(found)
    if abs(size - wanted) > TOLERANCE * wanted:
        raise ValueError(f"{dict(fields)}: has {size} parameters; must be near {wanted}")
    return found


def _size(config: PrismConfig) -> int:
    with torch.device("meta"):
        return Prism(config).num_parameters()
