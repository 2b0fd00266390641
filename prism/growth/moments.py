"""Optimiser of the grown model: moments move with their weights.

Moments are 0 for new entries. Adam keeps one step count per tensor,
which goes on for a tensor that was padded; so the new entries get no bias correction, and k steps
after growing their update under a steady gradient is

    (1 - beta1^k) / sqrt(1 - beta2^k)    times the learning rate

which is how they warm up: 0.45 times at first with betas (.9, .95), at most 1.1; with beta2 =
.999 it reaches 6.6, and a warm-up of the learning rate is advised. A tensor that is wholly new has
no state and starts with step 0, bias correction and all.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from prism.growth.rules import TensorGrowth
from prism.recipe import decays

# power of the gradient that a moment averages
POWERS = {"exp_avg": 1, "exp_avg_sq": 2, "max_exp_avg_sq": 2, "momentum_buffer": 1}
HORIZON = 10_000  # steps within which the moments of new entries have filled up

Named = dict[str, nn.Parameter]


def grown_optimizer(
    optimizer: Optimizer, old: nn.Module, new: nn.Module, tensors: Mapping[str, TensorGrowth]
) -> Optimizer:
    """An optimiser of the same type and settings for the parameters of ``new``.

    A tensor that was not there joins the group of its namesakes in other blocks.

    Raises:
        ValueError: a parameter that is not the model's, or a state that cannot be moved.
    """
    was, now = dict(old.named_parameters()), dict(new.named_parameters())
    home = _groups(optimizer, was)
    members: list[list[nn.Parameter]] = [[] for _ in optimizer.param_groups]
    for name, parameter in now.items():
        group = home.get(tensors[name].source or "")
        if tensors[name].source is None:
            group = _group_of_namesakes(name, parameter, home, was)
        if group is not None:
            members[group].append(parameter)
    settings = [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]
    groups = [{**s, "params": ps} for s, ps in zip(settings, members, strict=True)]
    accepted = inspect.signature(type(optimizer)).parameters
    defaults = {k: v for k, v in optimizer.defaults.items() if k in accepted}
    grown = type(optimizer)(groups, **defaults)
    for name, parameter in now.items():
        source = tensors[name].source
        if source is not None and was[source] in optimizer.state:
            grown.state[parameter] = grown_state(tensors[name], optimizer.state[was[source]])
    return grown


def grown_state(tensor: TensorGrowth, state: Mapping[str, Any]) -> dict[str, Any]:
    """One parameter's optimiser state, ``{"exp_avg": [...], ..., "step": scalar}``, grown.

    Raises:
        ValueError: an entry of unknown meaning.
    """
    grown = {}
    for key, value in state.items():
        if not isinstance(value, Tensor) or value.dim() == 0:
            grown[key] = value.clone() if isinstance(value, Tensor) else value
        elif key in POWERS:
            grown[key] = tensor.rule.moment(value, POWERS[key]).to(value.device)
        else:
            what = f"optimizer state {key!r} of {tensor.source}"
            raise ValueError(f"{what}: cannot be grown; must be one of {sorted(POWERS)}")
    return grown


def warm_up_bound(optimizer: Optimizer) -> float | None:
    """Adam warm-up bound: the largest update of a new entry under a steady gradient, in learning
    rates; None if the optimiser has no betas."""
    worst = None
    steps = torch.arange(1, HORIZON + 1, dtype=torch.float64)
    for group in optimizer.param_groups:
        if "betas" in group:
            first, second = (float(beta) for beta in group["betas"])
            ratio = ((1 - first**steps) / (1 - second**steps).sqrt()).max().item()
            worst = max(ratio, worst or 0.0)
    return worst


def _groups(optimizer: Optimizer, was: Named) -> dict[str, int]:
    """Group number of every parameter that is optimised, by name."""
    names = {parameter: name for name, parameter in was.items()}
    home = {}
    for number, group in enumerate(optimizer.param_groups):
        for parameter in group["params"]:
            if parameter not in names:
                shape = tuple(parameter.shape)
                raise ValueError(f"optimizer: a parameter {shape} is not one of the model's")
            home[names[parameter]] = number
    return home


def _group_of_namesakes(name: str, p: nn.Parameter, home: dict[str, int], was: Named) -> int:
    """Group of a tensor that was not there: that of the same tensor of another block, or else of
    one that is decayed or not like it, with as many dimensions if there is any."""
    for other, group in home.items():
        if _in_block(other) == _in_block(name):
            return group
    alike = [other for other in home if decays(other, was[other]) == decays(name, p)]
    if not alike:
        raise ValueError(f"optimizer: none of its groups holds a tensor like the new {name}")
    return home[min(alike, key=lambda other: abs(was[other].dim() - p.dim()))]


def _in_block(name: str) -> str:
    """Name of a tensor inside its block; the whole name outside of blocks."""
    return name.split(".", 2)[2] if name.startswith("blocks.") else name
