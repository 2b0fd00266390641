"""Where every tensor of a part or of an assembled model comes from."""

from __future__ import annotations

from dataclasses import dataclass

from prism.model.prism import Prism
from prism.modular.owners import ROUTER, owner, trunk_hash


@dataclass(frozen=True)
class TensorSource:
    """Where one tensor comes from.

    Attributes:
        name: in the model and in its sources.
        shape: in the model.
        sources: ``("trunk",)``, ``(kind,)``, or for the rows of a router the kinds in order.
    """

    name: str
    shape: tuple[int, ...]
    sources: tuple[str, ...]

    def line(self) -> str:
        """One line of text."""
        rows = "rows of " if owner(self.name) == ROUTER else ""
        size = "x".join(map(str, self.shape))
        return f"{rows}{', '.join(self.sources)}  {self.name}  {size}"


@dataclass(frozen=True)
class ModularReport:
    """What a model was put together from.

    Attributes:
        hash: of the trunk (:func:`prism.modular.trunk_hash`).
        kinds: that stand on it.
        tensors: in the order of the model.
    """

    hash: str
    kinds: tuple[str, ...]
    tensors: tuple[TensorSource, ...]

    def __str__(self) -> str:
        kinds = ", ".join(self.kinds)
        head = f"trunk {self.hash[:16]} with {kinds}: {len(self.tensors)} tensors"
        return "\n".join([head, *(tensor.line() for tensor in self.tensors)])


def report_of(model: Prism) -> ModularReport:
    """The report of a part, or of a model assembled from parts."""
    tensors = []
    for name, value in model.state_dict().items():
        whose: tuple[str, ...] = (owner(name),)
        if whose == (ROUTER,):
            whose = model.blocks[int(name.split(".")[1])].kinds
        tensors.append(TensorSource(name, tuple(value.shape), whose))
    return ModularReport(trunk_hash(model), model.config.expert_kinds, tuple(tensors))
