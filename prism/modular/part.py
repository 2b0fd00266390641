"""A part: the frozen trunk and one kind, which is all that learns.

    x = x + anchor(i) + 2 sigmoid(w i + b) E(i),        writer of E zero

Step 0 is the trunk exactly: the gate is half open, but what it lets through is 0. The writer has a
gradient at once, everything before it one step later. Of what the part is trained on, 70% is its
own and 30% is what the trunk was trained on: there the part learns when to say nothing.
"""

from __future__ import annotations

import torch

from prism.config import PrismConfig
from prism.model.prism import Prism
from prism.modular.owners import KINDS, TRUNK, owner, trunk_tensors
from prism.modular.trunk import check_trunk, part_config

OWN_SHARE = 0.7


def part_of(trunk: Prism, kind: str, like: PrismConfig | None = None) -> Prism:
    """A copy of ``trunk`` with experts of ``kind``, ready to be trained: only they and their
    gates have gradients.

    Args:
        like: a config whose fields the experts have; default that of the trunk.

    Raises:
        ValueError: an unknown kind, or a trunk that has kinds.
    """
    if kind not in KINDS:
        raise ValueError(f"modular part {kind!r}: must be one of {', '.join(KINDS)}")
    check_trunk(trunk.config)
    part = Prism(part_config(trunk.config, kind, like)).to(trunk.embedding.weight)
    part.load_state_dict(trunk_tensors(trunk), strict=False)
    with torch.no_grad():
        for block in part.blocks:
            if kind in block.kinds:
                getattr(block, kind).write.weight.zero_()
    return freeze_trunk(part)


def freeze_trunk(part: Prism) -> Prism:
    """``part``, whose trunk has no gradients from now on."""
    for name, p in part.named_parameters():
        p.requires_grad_(owner(name) != TRUNK)
    return part
