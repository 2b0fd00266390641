"""Balance of sparse routing in the loops of others: Trainer, accelerate, or one written by hand.

Such a loop knows of no ``after_step``. So a wrapped model counts, in whole tokens, the loads of its
forward passes that train, and once an optimizer has stepped on parameters of it, their sum over the
passes and the ranks moves the selection bias, as ``after_step`` does in this project's own loops.
torch calls :func:`_after_optimizer` behind the step of every optimizer. A step that a gradient
scaler leaves out moves nothing, nor does an optimizer of another model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import torch
import torch.distributed as dist
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from prism.model.protocol import LanguageModel

if TYPE_CHECKING:
    from prism.hf.causal import PrismForCausalLM

_watched: WeakSet[PrismForCausalLM] = WeakSet()


def watch(wrapped: PrismForCausalLM) -> None:
    """Balance ``wrapped`` after the steps of its optimizer."""
    _watched.add(wrapped)


def balances(model: LanguageModel) -> bool:
    """True for a model that routes sparsely and whose routers train: behind frozen ones, as with
    LoRA, the bias would part from the weights that it is saved with."""
    routers = [getattr(block, "router", None) for block in model.blocks]
    return any(
        r is not None and r.topk < len(r.kinds) and r.score.weight.requires_grad for r in routers
    )


def tokens_of_kinds(loads: Tensor, tokens: Tensor, segment_ids: Tensor | None) -> Tensor:
    """``[L, E]`` tokens that each kind ran for, of ``loads [L, E]`` over ``tokens [B, T]``."""
    real = tokens.numel() if segment_ids is None else (segment_ids >= 0).sum()
    return (loads.double() * real).round()


@torch.no_grad()
def _after_optimizer(optimizer: Optimizer, *_: Any) -> None:
    waiting = [wrapped for wrapped in _watched if wrapped.waiting is not None]
    if not waiting:
        return
    stepped = {id(p) for group in optimizer.param_groups for p in group["params"]}
    for wrapped in waiting:
        if any(id(p) in stepped for p in wrapped.parameters()):
            ran, wrapped.waiting = wrapped.waiting, None
            if dist.is_available() and dist.is_initialized():
                dist.all_reduce(ran)
            wrapped.model.after_step(ran)


register_optimizer_step_post_hook(_after_optimizer)
