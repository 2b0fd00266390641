"""Options of speed for one block: recompute its inside in the backward pass, or compile it.

Recomputing (arXiv 1604.06174) keeps only a block's inputs. A block may also write to an object that
the blocks of one call share; the recomputation must see that object as it was, and leave no trace,
so each run works on a copy and the first run's entries are handed back.
"""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def recomputed(block: nn.Module) -> None:
    """Make ``block`` keep its inputs only, in place; its parameters' names stay."""
    inner = block.forward

    def forward(x: Tensor, *rest: Any) -> Any:
        before = [_copied(value) for value in rest]

        def run(x: Tensor) -> tuple[Any, list[Any]]:
            mine = [_copied(value) for value in before]
            return inner(x, *mine), mine

        out, after = checkpoint(run, x, use_reentrant=False, preserve_rng_state=False)
        for value, changed in zip(rest, after, strict=True):
            if dataclasses.is_dataclass(value):
                vars(value).update(vars(changed))
        return out

    block.forward = forward  # type: ignore[method-assign]


def _copied(value: Any) -> Any:
    return copy.copy(value) if dataclasses.is_dataclass(value) else value


def compiled(block: nn.Module) -> None:
    """Compile the inside of ``block``, in place; sharding stays outside of the graph."""
    block.forward = torch.compile(block.forward)  # type: ignore[method-assign]
