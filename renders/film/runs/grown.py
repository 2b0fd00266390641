"""A growth step: the model of the film's text before and after, on the same bytes."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from prism import Prism, grow
from renders.film.runs import Data

MATRIX = "blocks.0.bus.write.weight"  # shown before and after


@torch.no_grad()
def grown(model: Prism, tokens: Tensor) -> Data:
    """Twice the width and one block more; the largest difference of any logit, in fp64 and fp32.

    Args:
        model: in fp64.
        tokens: ``[T]`` read by both.
    """
    old = model.config
    new = dataclasses.replace(old, d_model=2 * old.d_model, num_layers=old.num_layers + 1)
    larger = grow(model, new).model
    before, after = (m(tokens[None]).logits[0] for m in (model, larger))
    single = [m.float()(tokens[None]).logits[0] for m in (_copy(model), _copy(larger))]
    matrices = [m.state_dict()[MATRIX] for m in (model, larger)]
    return {
        "parameters": [m.num_parameters() for m in (model, larger)],
        "width": [old.d_model, new.d_model],
        "layers": [old.num_layers, new.num_layers],
        "difference": float((before - after).abs().max()),
        "difference_fp32": float((single[0] - single[1]).abs().max()),
        "largest_logit": float(before.abs().max()),
        "logits": [x[-1].tolist() for x in (before, after)],
        "matrix": MATRIX,
        "weights": [m.tolist() for m in matrices],
    }


def _copy(model: Prism) -> Prism:
    """The model anew, so that a change of type does not change it."""
    copy = Prism(model.config).to(next(model.parameters()).dtype)
    copy.load_state_dict(model.state_dict())
    return copy.eval().requires_grad_(False)
