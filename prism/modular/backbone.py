"""The backbone: everything that all branches share, with an anchor in place of the experts.

    x = x + bus(norm(x));   x = x + anchor(norm(x))

It is trained on all data, then frozen. The anchor is a neural expert that every token gets, so a
backbone is a language model of its own, and an expert may add nothing to a token. This is the
frozen public expert of FlexOlmo (arXiv 2507.07024) beside experts of different kinds.

Gates are independent, and the norm of what the experts add is penalised
(:mod:`prism.modular.output_penalty`). The input projection of a symbolic branch learns slowly
(``UNIT_INPUT_RATE``): until its output projection, which starts at zero, has grown, the gradients
of its inputs are noise. The fields of a kind (width, tape, units) are those of its own branch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from prism.config import PrismConfig
from prism.modular.output_penalty import OUTPUT_PENALTY
from prism.modular.parameter_groups import KINDS

UNIT_INPUT_RATE = 1 / 128
FIELDS = {
    "neural": ("neural_hidden",),
    "memory": ("tape", "memory_layers"),
    "symbolic": ("symbolic",),
}


def backbone_config(config: PrismConfig) -> PrismConfig:
    """Backbone of a model of ``config``: no experts, and an anchor as wide as the neural expert,
    unless ``anchor_hidden`` says otherwise."""
    return _modular(config, (), {"symbolic": config.symbolic})


def branch_config(backbone: PrismConfig, kind: str, like: PrismConfig | None = None) -> PrismConfig:
    """``backbone`` with experts of ``kind``, whose own fields are those of ``like``."""
    return assembled_config(backbone, {kind: backbone if like is None else like})


def assembled_config(backbone: PrismConfig, branches: Mapping[str, PrismConfig]) -> PrismConfig:
    """``backbone`` with experts of these kinds, each with the fields of its own branch."""
    kinds = tuple(kind for kind in KINDS if kind in branches)
    fields = {name: getattr(branches[kind], name) for kind in kinds for name in FIELDS[kind]}
    return _modular(backbone, kinds, fields)


def _modular(
    config: PrismConfig, kinds: tuple[str, ...], fields: Mapping[str, object]
) -> PrismConfig:
    """``config`` with what all modular phases have in common, ``kinds`` and their ``fields``."""
    changes = {
        "expert_kinds": kinds,
        "anchor_hidden": config.hidden if config.anchor_hidden is None else config.anchor_hidden,
        "router_gates": "independent",
        "router_topk": None,
        "always_on": (),
        "balance_target": None,
        "memory_layers": None,
        "neural_hidden": config.hidden,
        "expert_output_penalty": OUTPUT_PENALTY,
        **fields,
    }
    symbolic = changes.get("symbolic")
    if symbolic is not None and symbolic.unit_input_rate is None:
        changes["symbolic"] = dataclasses.replace(symbolic, unit_input_rate=UNIT_INPUT_RATE)
    return dataclasses.replace(config, **changes)


def check_backbone(config: PrismConfig) -> None:
    """Refuse a model of ``config`` that is no backbone.

    Raises:
        ValueError: it has experts, or no anchor.
    """
    if config.expert_kinds or config.anchor_hidden is None:
        raise ValueError(
            f"modular backbone: expert_kinds = {config.expert_kinds!r}, anchor_hidden = "
            f"{config.anchor_hidden!r}: must be a model of --modular-phase trunk, which has an "
            "anchor and no kinds"
        )
