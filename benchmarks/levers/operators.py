"""The ways of growing that are compared: ours, and three that keep less.

    exact    ``prism.grow``: the function stays, every new weight can learn
    stack    the blocks repeated in order (arXiv 2405.15319); the function does not stay
    random   new blocks with weights, writers included, as in a new model
    pad      as the first implementation of this idea did it: every tensor padded with zeros at its
             end, norms uncorrected, the optimiser's moments dropped

Each gives the grown learner and, by name of parameter, which of its entries are new.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from benchmarks.levers.loop import Learner, start, training_flops
from prism import Prism, PrismConfig, grow

New = dict[str, Tensor]  # True where an entry of the parameter is new
OPERATORS = ("exact", "stack", "random", "pad")


def grown(
    learner: Learner, config: PrismConfig, size: str, operator: str, length: int
) -> tuple[Learner, New]:
    """``learner`` at ``config``, by one of :data:`OPERATORS`; the given one is left as it was."""
    if operator == "pad":
        return _padded(learner, config, size, length)
    method = "stack" if operator == "stack" else "exact"
    result = grow(learner.model, config, learner.optimizer, method)
    if operator == "random":
        _speak(result.model, config, result.report.blocks)
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
    steps = dict(learner.steps)
    return dataclasses.replace(
        learner,
        model=model,
        optimizer=optimizer,
        size=size,
        steps=steps,
        flops_per_token=training_flops(model, length),
    )


@torch.no_grad()
def _speak(model: Prism, config: PrismConfig, blocks: tuple[int | None, ...]) -> None:
    """Give the writers of new blocks the weights that they have in a new model."""
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
