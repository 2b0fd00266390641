"""Make a model larger without changing what it computes: more width in every neural expert.

    W_1, W_3: new rows drawn as in a new model;   W_2: new columns 0

The new units are computed and add nothing, so the function is the same up to the order of sums;
the columns have a gradient from the first step, because the units that feed them are alive.
(Net2Net, arXiv 1511.05641, with zeros in place of copies.)
"""

from __future__ import annotations

import dataclasses

import torch

from prism.model.prism import Prism


@torch.no_grad()
def widened(model: Prism, hidden: int) -> Prism:
    """The same function with ``hidden`` units in every neural expert.

    Raises:
        ValueError: fewer than there are, or a model without neural experts.
    """
    config = model.config
    if "neural" not in config.expert_kinds:
        raise ValueError(f"expert_kinds = {config.expert_kinds}: must have 'neural' to be widened")
    if hidden < config.hidden:
        raise ValueError(f"hidden = {hidden}: must be >= {config.hidden}, the model's own")
    grown = Prism(dataclasses.replace(config, neural_hidden=hidden)).to(
        model.embedding.weight.dtype
    )
    for name, new in grown.state_dict().items():
        old = model.state_dict()[name]
        if name.endswith("neural.write.weight"):
            new.zero_()
        new[tuple(slice(n) for n in old.shape)] = old
    return grown.train(model.training)
