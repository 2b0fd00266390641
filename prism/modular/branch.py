"""An expert branch: the frozen backbone and one expert kind, the only thing that is trained.

    x = x + anchor(i) + 2 sigmoid(w i + b) E(i),        output projection of E zero at the start

At step 0 the branch computes what the backbone does: the gate is half open, but the expert's output
is 0. The output projection has a gradient at once, the weights before it one step later. 70% of a
branch's training data is of its own domain and 30% is the backbone's mix, on which the output-norm
penalty is larger (:mod:`prism.modular.output_penalty`).
"""

from __future__ import annotations

import torch

from prism.config import PrismConfig
from prism.model.prism import Prism
from prism.modular.backbone import branch_config, check_backbone
from prism.modular.parameter_groups import KINDS, backbone_tensors, freeze_backbone

OWN_SHARE = 0.7


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
        for block in branch.blocks:
            if kind in block.kinds:
                getattr(block, kind).write.weight.zero_()
    return freeze_backbone(branch)
