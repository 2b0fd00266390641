"""Assembly: one plain model out of a backbone and branches that were trained apart.

Every tensor of the assembled model is in its sources under the same name: the backbone's in all of
them, bit for bit, an expert's in its own branch, and a router's rows one in each. The gates are
independent sigmoids, so on a token where one gate is open the sum is exactly that branch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from prism.model.prism import Prism
from prism.modular.backbone import assembled_config, check_backbone
from prism.modular.parameter_groups import (
    KINDS,
    ROUTER,
    backbone_hash,
    backbone_tensors,
    parameter_group,
)


@dataclass(frozen=True)
class TensorSource:
    """Origin of one tensor.

    Attributes:
        name: in the model and in its sources.
        shape: in the model.
        sources: ``("backbone",)``, ``(kind,)``, or the kinds in order for the rows of a router.
    """

    name: str
    shape: tuple[int, ...]
    sources: tuple[str, ...]

    def line(self) -> str:
        """One line of text."""
        rows = "rows of " if parameter_group(self.name) == ROUTER else ""
        size = "x".join(map(str, self.shape))
        return f"{rows}{', '.join(self.sources)}  {self.name}  {size}"


@dataclass(frozen=True)
class ModularReport:
    """Origin of all tensors of a branch or of an assembled model.

    Attributes:
        hash: of the backbone (:func:`prism.modular.backbone_hash`).
        kinds: of the experts on it.
        tensors: in the order of the model.
    """

    hash: str
    kinds: tuple[str, ...]
    tensors: tuple[TensorSource, ...]

    def __str__(self) -> str:
        kinds = ", ".join(self.kinds)
        head = f"backbone {self.hash[:16]} with {kinds}: {len(self.tensors)} tensors"
        return "\n".join([head, *(tensor.line() for tensor in self.tensors)])


def assemble(backbone: Prism, branches: Mapping[str, Prism]) -> Prism:
    """One model out of ``backbone`` and ``branches``, each by its expert kind;
    :func:`report_of` it gives the origin of its tensors.

    Raises:
        ValueError: no branch, a branch of another kind, or one trained on another backbone.
    """
    check_backbone(backbone.config)
    allowed = ", ".join(KINDS)
    if not branches or not set(branches) <= set(KINDS):
        names = sorted(branches)
        raise ValueError(f"assemble: branches = {names}: must be one or more of {allowed}")
    wanted = backbone_hash(backbone)
    for kind, branch in branches.items():
        if (kinds := branch.config.expert_kinds) != (kind,):
            raise ValueError(f"assemble: the {kind} branch holds {kinds!r}: must be {(kind,)!r}")
        if (has := backbone_hash(branch)) != wanted:
            raise ValueError(
                f"assemble: the {kind} branch stands on backbone {has}, the backbone given is "
                f"{wanted}: must be the same; train the branch on this backbone"
            )
    configs = {kind: branch.config for kind, branch in branches.items()}
    model = Prism(assembled_config(backbone.config, configs)).to(backbone.embedding.weight)
    tensors = backbone_tensors(backbone)
    for name in model.state_dict().keys() - tensors.keys():
        group = parameter_group(name)
        if group == ROUTER:
            states = (branches[kind].state_dict() for kind in model.config.expert_kinds)
            tensors[name] = torch.cat([state[name] for state in states if name in state])
        else:
            tensors[name] = branches[group].state_dict()[name]
    model.load_state_dict(tensors)
    return model


def report_of(model: Prism) -> ModularReport:
    """The report of a branch, or of a model assembled from branches."""
    tensors = []
    for name, value in model.state_dict().items():
        sources: tuple[str, ...] = (parameter_group(name),)
        if sources == (ROUTER,):
            sources = model.blocks[int(name.split(".")[1])].kinds
        tensors.append(TensorSource(name, tuple(value.shape), sources))
    return ModularReport(backbone_hash(model), model.config.expert_kinds, tuple(tensors))
