"""Parameter groups of a modular model: the backbone, one group per expert kind, the router.

    blocks.3.memory.value.weight    memory
    machine.*                       symbolic: one machine for all blocks
    blocks.3.symbolic.weight        symbolic
    blocks.3.router.*               router: one row per expert kind of the block
    blocks.3.bus.*, .anchor.*       backbone, like everything outside of the blocks

Two models have the same backbone if :func:`backbone_hash` is the same: SHA-256 over the backbone's
tensors, names and shapes, and over the fields of the config that decide what they compute.
"""

from __future__ import annotations

import hashlib
import json

from torch import Tensor

from prism.config import EXPERT_KINDS
from prism.model.prism import Prism
from prism.record import weights_hash

KINDS = EXPERT_KINDS
BACKBONE, ROUTER = "backbone", "router"
# fields that change what the backbone's tensors compute without changing a shape
MEANING = ("bus_half_lives", "tie_embeddings", "router_gates", "holo_mode")
LARGEST_SHARE = 0.05  # of all tokens that backbone and branches were trained on


def parameter_group(name: str) -> str:
    """Group of the tensor ``name``: ``"backbone"``, an expert kind or ``"router"``."""
    parts = name.split(".")
    if parts[0] == "machine":
        return "symbolic"
    if parts[0] == "blocks" and parts[2] in (*KINDS, ROUTER):
        return parts[2]
    return BACKBONE


def backbone_tensors(model: Prism) -> dict[str, Tensor]:
    """The tensors of the backbone, by name."""
    return {name: x for name, x in model.state_dict().items() if parameter_group(name) == BACKBONE}


def backbone_hash(model: Prism) -> str:
    """SHA-256 of the backbone as hexadecimal digits."""
    meaning = json.dumps([getattr(model.config, name) for name in MEANING])
    return weights_hash(backbone_tensors(model), hashlib.sha256(meaning.encode()), shapes=True)


def freeze_backbone(model: Prism) -> Prism:
    """``model`` with the backbone frozen: expert branches and router are trained."""
    for name, p in model.named_parameters():
        p.requires_grad_(parameter_group(name) != BACKBONE)
    return model


def only_gates(model: Prism) -> Prism:
    """``model`` with everything frozen but the router, to calibrate an assembled model.

    Branches were never trained together. Where two of them add the same, their sum adds it twice,
    and a gate that reads the shared stream can close. No expert changes, so none forgets.
    """
    for name, p in model.named_parameters():
        p.requires_grad_(parameter_group(name) == ROUTER)
    return model


def largest_budget(trained: int) -> int:
    """Largest number of calibration tokens after ``trained`` tokens of all phases together."""
    return int(LARGEST_SHARE * trained)
