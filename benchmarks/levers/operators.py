"""Growth operators that are compared, and what a grown model does in its first steps.

    exact    ``prism.grow``: the function stays, every new weight can learn
    stack    the blocks repeated in order (arXiv 2405.15319); the function does not stay
    random   new blocks initialised in full, output matrices included, as in a new model
    pad      as the first implementation of this idea did it: every tensor padded with zeros at its
             end, norms uncorrected, the optimiser's moments dropped

Each gives the grown learner and, by name of parameter, which of its entries are new.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks.levers.loop import Learner, held_out_loss, start
from prism import Prism, PrismConfig, grow
from prism.data import RowBatch
from prism.engine.cost.flops import count

New = dict[str, Tensor]  # True where an entry of the parameter is new
OPERATORS = ("exact", "stack", "random", "pad")
LOOK_EVERY = 10  # steps
ALIVE_WITHIN = 2  # steps


def grown(
    learner: Learner, config: PrismConfig, size: str, operator: str, length: int
) -> tuple[Learner, New]:
    """``learner`` at ``config``, by one of :data:`OPERATORS`; the given one is left as it was."""
    if operator == "pad":
        return _padded(learner, config, size, length)
    method = "stack" if operator == "stack" else "exact"
    result = grow(learner.model, config, learner.optimizer, method)
    if operator == "random":
        _initialise_new(result.model, config, result.report.blocks)
    new = {}
    for name, parameter in result.model.named_parameters():
        move = result.tensors[name]
        if move.source is None:
            new[name] = torch.ones_like(parameter, dtype=torch.bool)
        else:
            old = learner.model.get_parameter(move.source)
            new[name] = move.rule.moment(torch.ones_like(old), 1) == 0
    return _continued(learner, result.model, result.optimizer, size, length), new


def _continued(
    learner: Learner, model: Prism, optimizer: torch.optim.Optimizer, size: str, length: int
) -> Learner:
    """The same run with another model."""
    changed = {"model": model, "optimizer": optimizer, "size": size, "steps": dict(learner.steps)}
    return dataclasses.replace(learner, **changed, flops_per_token=count(model, length).training)


@torch.no_grad()
def _initialise_new(model: Prism, config: PrismConfig, blocks: tuple[int | None, ...]) -> None:
    """Give new blocks the weights that they have in a new model, output matrices included."""
    fresh = Prism(config)
    for layer, source in enumerate(blocks):
        if source is None:
            model.blocks[layer].load_state_dict(fresh.blocks[layer].state_dict())


@torch.no_grad()
def _padded(learner: Learner, config: PrismConfig, size: str, length: int) -> tuple[Learner, New]:
    model = Prism(config)
    old = dict(learner.model.named_parameters())
    new = {}
    for name, parameter in model.named_parameters():
        new[name] = torch.ones_like(parameter, dtype=torch.bool)
        if name in old:
            corner = tuple(slice(0, n) for n in old[name].shape)
            parameter.zero_()
            parameter[corner] = old[name]
            new[name][corner] = False
    begun = start(model, size, learner.peak, learner.warm_up, length)
    return _continued(learner, model, begun.optimizer, size, length), new


class Losses:
    """Held-out loss after the first and every tenth of ``watched`` steps.

    Attributes:
        before: that of the learner it is made with.
        seen: one per look.
    """

    def __init__(self, learner: Learner, held_out: Sequence[RowBatch], watched: int) -> None:
        self._held_out, self._watched, self._begun = held_out, watched, learner.step
        self.before = held_out_loss(learner.model, held_out)
        self.seen: list[float] = []

    def __call__(self, learner: Learner) -> None:
        after = learner.step - self._begun
        if after <= self._watched and (after == 1 or after % LOOK_EVERY == 0):
            self.look(learner)

    def look(self, learner: Learner) -> None:
        """Note the loss of now."""
        self.seen.append(held_out_loss(learner.model, self._held_out))


class Silent:
    """Entries of new weights that have had no gradient within two steps.

    Args:
        new: by name of parameter, True where an entry is new.
        begun: the step at which they came.
    """

    def __init__(self, new: New, begun: int) -> None:
        self._silent = {name: entries.clone() for name, entries in new.items()}
        self._begun = begun
        self.new = sum(int(entries.sum()) for entries in new.values())

    def __call__(self, learner: Learner) -> None:
        if learner.step - self._begun > ALIVE_WITHIN:
            return
        for name, parameter in learner.model.named_parameters():
            if parameter.grad is not None:
                self._silent[name] &= parameter.grad == 0

    @property
    def dead(self) -> dict[str, int]:
        """By name of parameter, how many are left, where any is."""
        left = {name: int(entries.sum()) for name, entries in self._silent.items()}
        return {name: count for name, count in left.items() if count}
