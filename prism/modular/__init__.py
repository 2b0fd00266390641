"""A model trained in parts: a frozen trunk, one kind of expert at a time, joined by name."""

from prism.modular.assembly import Assembly, assemble
from prism.modular.gates import LARGEST_SHARE, largest_budget, only_gates
from prism.modular.owners import KINDS, owner, trunk_hash
from prism.modular.part import OWN_SHARE, freeze_trunk, part_of
from prism.modular.report import ModularReport, TensorSource, report_of
from prism.modular.trunk import assembled_config, check_trunk, part_config, trunk_config

__all__ = [
    "KINDS",
    "LARGEST_SHARE",
    "OWN_SHARE",
    "Assembly",
    "ModularReport",
    "TensorSource",
    "assemble",
    "assembled_config",
    "check_trunk",
    "freeze_trunk",
    "largest_budget",
    "only_gates",
    "owner",
    "part_config",
    "part_of",
    "report_of",
    "trunk_config",
    "trunk_hash",
]
