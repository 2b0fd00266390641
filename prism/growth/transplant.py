"""One tensor of a grown model, made by its rule."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from prism.growth.rules import Rule


@dataclass(frozen=True)
class Transplant:
    """How tensor ``name`` of the grown model is made.

    Attributes:
        source: name of the tensor that it comes from; None = there was none.
        rule: how it grows; None for a tensor that is wholly new.
    """

    name: str
    source: str | None
    rule: Rule | None

    def weight(self, old: Tensor, drawn: Tensor) -> Tensor:
        """The grown tensor.

        Args:
            old: ``[...]`` the smaller tensor.
            drawn: ``[...]`` the tensor of a new model of the new size, for the new entries.
        """
        rule = self.rule
        grown = drawn.double()
        if rule.std is not None:
            grown = rule.std * torch.randn(drawn.shape, dtype=torch.float64)
        if rule.value is not None:
            grown = torch.full_like(grown, rule.value)
        for axis, indices in rule.zero:
            grown = grown.index_fill(axis, indices, 0.0)
        part = old.detach().cpu().double() * rule.scale
        grown = self._put(grown, part)
        if rule.copies is not None:
            rows, columns = torch.tensor(rule.copies.target), rule.axes[1].index
            grown[rows[:, None], columns] = part[list(rule.copies.source)]
        return grown.to(old.dtype)

    def moment(self, old: Tensor, power: int) -> Tensor:
        """The grown moment of an optimiser; new entries are 0.

        A weight that was scaled by s has gradients 1/s as large: a moment of the gradient's power
        p is scaled by ``s^-p``.
        """
        shape = [axis.size for axis in self.rule.axes]
        part = old.detach().cpu().double() * self.rule.scale**-power
        return self._put(torch.zeros(shape, dtype=torch.float64), part).to(old.dtype)

    def _put(self, grown: Tensor, part: Tensor) -> Tensor:
        """``grown`` with the old entries ``part`` in their places."""
        places = torch.meshgrid(*(axis.index for axis in self.rule.axes), indexing="ij")
        return grown.index_put(places, part)
