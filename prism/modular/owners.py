"""Who owns a tensor: the trunk, or one kind.

    blocks.3.memory.value.weight    memory
    blocks.3.router.*               one row for each kind of the block
    blocks.3.bus.*, .anchor.*       the trunk, as everything outside of the blocks

Two models have the same trunk if :func:`trunk_hash` is the same: SHA-256 over the trunk's tensors,
names and shapes, and over the fields of the config that decide what they compute.
"""

from __future__ import annotations

import hashlib
import json

from torch import Tensor

from prism.config import EXPERT_KINDS
from prism.model.prism import Prism
from prism.record import weights_hash

KINDS = EXPERT_KINDS
TRUNK, ROUTER = "trunk", "router"
# fields that change what the trunk's tensors compute without changing a shape
MEANING = ("bus_half_lives", "tie_embeddings", "router_gates", "holo_mode")


def owner(name: str) -> str:
    """``"trunk"``, a kind, or ``"router"`` for what is stacked by kind, of the tensor ``name``."""
    parts = name.split(".")
    if parts[0] == "blocks" and parts[2] in (*KINDS, ROUTER):
        return parts[2]
    return TRUNK


def trunk_tensors(model: Prism) -> dict[str, Tensor]:
    """The tensors of the trunk, by name."""
    return {name: x for name, x in model.state_dict().items() if owner(name) == TRUNK}


def trunk_hash(model: Prism) -> str:
    """SHA-256 of the trunk as hexadecimal digits."""
    meaning = json.dumps([getattr(model.config, name) for name in MEANING])
    return weights_hash(trunk_tensors(model), hashlib.sha256(meaning.encode()), shapes=True)
