"""Modular training: experts trained apart on one frozen backbone, then summed in one model.

A backbone (:mod:`.backbone`) is trained on all data and frozen; a branch (:func:`branch_of`) adds
one expert kind to it and trains that alone; :func:`assemble` puts branches together by tensor name.
"""

from prism.modular.assembly import ModularReport, TensorSource, assemble, report_of
from prism.modular.backbone import (
    OWN_SHARE,
    assembled_config,
    backbone_config,
    branch_config,
    branch_of,
    check_backbone,
)
from prism.modular.output_penalty import (
    OUT_OF_DOMAIN_FACTOR,
    OUTPUT_PENALTY,
    out_of_domain_penalty,
)
from prism.modular.parameter_groups import (
    KINDS,
    LARGEST_SHARE,
    backbone_hash,
    freeze_backbone,
    largest_budget,
    only_gates,
    parameter_group,
)

__all__ = [
    "KINDS",
    "LARGEST_SHARE",
    "OUTPUT_PENALTY",
    "OUT_OF_DOMAIN_FACTOR",
    "OWN_SHARE",
    "ModularReport",
    "TensorSource",
    "assemble",
    "assembled_config",
    "backbone_config",
    "backbone_hash",
    "branch_config",
    "branch_of",
    "check_backbone",
    "freeze_backbone",
    "largest_budget",
    "only_gates",
    "out_of_domain_penalty",
    "parameter_group",
    "report_of",
]
