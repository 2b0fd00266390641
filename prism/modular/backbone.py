"""The backbone that all branches share, and the branches on it.

    backbone   x = x + bus(norm(x));   x = x + anchor(i)                          i = norm(x)
    branch     x = x + anchor(i) + 2 sigmoid(w i + b) E(i)      output projection of E zero at first

The backbone has an anchor in place of experts. It is trained on all data, then frozen. The anchor
is a neural expert that every token gets, so a backbone is a language model of its own, and an
expert may add nothing to a token. This is the frozen public expert of FlexOlmo (arXiv 2507.07024)
beside experts of different kinds.

A branch is the frozen backbone and one expert kind, the only thing that is trained. At step 0 it
computes what the backbone does: the gate is half open, but the expert's output is 0. The output
projection has a gradient at once, the weights before it one step later. The input
projection of the symbolic units learns slowly (``UNIT_INPUT_RATE``). The fields of a kind (width,
tape, units) are those of its own branch.

Symbolic machines with answers of their own (``symbolic.answers``) learn from them alone, and a
branch mixes them into that of the backbone by how sure they are
(:mod:`prism.model.symbolic.answer`), little at first but from step 0 on.

Gates are independent, and the norm of what the experts add is penalised
(:mod:`prism.modular.output_penalty`), more so on the 30% of a branch's training data that are the
backbone's mix and not of its own domain.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import torch

from prism.config import PrismConfig
from prism.model.prism import Prism
from prism.modular.output_penalty import OUTPUT_PENALTY
from prism.modular.parameter_groups import (
    KINDS,
    backbone_tensors,
    freeze_backbone,
    parameter_group,
)

UNIT_INPUT_RATE = 1 / 128
OWN_SHARE = 0.7  # of a branch's data that is of its own domain
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


def outputs_of(config: PrismConfig) -> tuple[str, str]:
    """Ends of the names of the weights through which the expert of a branch of ``config`` adds to
    the stream."""
    answers = "symbolic" in config.expert_kinds and config.symbolic.answers
    return ".lift.weight" if answers else ".write.weight", ".suffix.gain"


def check_backbone(config: PrismConfig) -> None:
    """Refuse a model of ``config`` that is no backbone.

    Raises:
        ValueError: it has experts, or no anchor.
    """
    if config.expert_kinds or config.anchor_hidden is None:
        raise ValueError(
            f"modular backbone: expert_kinds = {config.expert_kinds!r}, anchor_hidden = "
            f"{config.anchor_hidden!r}: must be a model of --modular-phase backbone, which has an "
            "anchor and no kinds"
        )


def branch_of(backbone: Prism, kind: str, like: PrismConfig | None = None) -> Prism:
    """Copy of ``backbone`` with untrained experts of ``kind``; only they and their gates have
    gradients.

    Args:
        like: a config whose fields the experts have; default that of the backbone.

    Raises:
        ValueError: an unknown kind, or a backbone that has experts.
    """
    if kind not in KINDS:
        raise ValueError(f"modular branch {kind!r}: must be one of {', '.join(KINDS)}")
    check_backbone(backbone.config)
    branch = Prism(branch_config(backbone.config, kind, like)).to(backbone.embedding.weight)
    branch.load_state_dict(backbone_tensors(backbone), strict=False)
    with torch.no_grad():
        for name, weight in branch.named_parameters():
            if parameter_group(name) == kind and name.endswith(outputs_of(branch.config)):
                weight.zero_()
    return freeze_backbone(branch)
