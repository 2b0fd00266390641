"""Assembly: one plain model out of a trunk and parts that never met.

Every tensor of the assembled model is in its sources under the same name: the trunk's in all of
them, bit for bit, a kind's in its own part, and a router's rows one in each. The gates are
independent sigmoids, so on a token where one gate is open the sum is exactly that part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from prism.model.prism import Prism
from prism.modular.owners import KINDS, ROUTER, owner, trunk_hash, trunk_tensors
from prism.modular.report import ModularReport, report_of
from prism.modular.trunk import assembled_config, check_trunk


@dataclass(frozen=True)
class Assembly:
    """The assembled ``model``, and the ``report`` of where every tensor of it comes from."""

    model: Prism
    report: ModularReport


def assemble(trunk: Prism, parts: Mapping[str, Prism]) -> Assembly:
    """One model out of ``trunk`` and ``parts``, each by the kind that it holds.

    Raises:
        ValueError: no part, a part of another kind, or one that was trained on another trunk.
    """
    check_trunk(trunk.config)
    check_parts(trunk, parts)
    config = assembled_config(trunk.config, {kind: part.config for kind, part in parts.items()})
    model = Prism(config).to(trunk.embedding.weight)
    tensors = trunk_tensors(trunk)
    for name in model.state_dict().keys() - tensors.keys():
        tensors[name] = _from_parts(name, model.config.expert_kinds, parts)
    model.load_state_dict(tensors)
    return Assembly(model, report_of(model))


def check_parts(trunk: Prism, parts: Mapping[str, Prism]) -> None:
    """Nothing if the parts can be assembled on ``trunk``; raises as :func:`assemble`."""
    allowed = ", ".join(KINDS)
    if not parts or not set(parts) <= set(KINDS):
        raise ValueError(f"assemble: parts = {sorted(parts)}: must be one or more of {allowed}")
    wanted = trunk_hash(trunk)
    for kind, part in parts.items():
        if part.config.expert_kinds != (kind,):
            raise ValueError(
                f"assemble: the {kind} part holds {part.config.expert_kinds!r}: must be {(kind,)!r}"
            )
        if (has := trunk_hash(part)) != wanted:
            raise ValueError(
                f"assemble: the {kind} part stands on trunk {has}, the trunk given is {wanted}: "
                "must be the same; train the part on this trunk"
            )


def _from_parts(name: str, kinds: tuple[str, ...], parts: Mapping[str, Prism]) -> Tensor:
    """The tensor ``name`` out of the part that owns it, or its rows out of all that have some."""
    whose = owner(name)
    if whose != ROUTER:
        return parts[whose].state_dict()[name]
    found = (parts[kind].state_dict() for kind in kinds)
    return torch.cat([tensors[name] for tensors in found if name in tensors])
