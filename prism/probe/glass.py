"""AdamW under glass: torch's own optimizer, and why each update was cancelled.

The step is taken by torch's own kernel, so it is torch's to the bit in every form (bf16 or fp32,
fused or not). What it did is read from before and after: with the new moments m, v of step t,

    u = lr / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + eps)      the update that was wanted
    moved         the number has changed
    no_gradient   u = 0
    below_half    |u| is below half a unit in the last place: nearest rounding loses it
    other         wanted at least that much and did not move (a boundary, a rounding of factors)

Apart from the cause, ``latched`` is the share of second moments that did not change although they
should have fallen (g^2 < v), and ``decay_lost`` the share of non-zero weights that decay should
have changed and ``w (1 - lr wd)`` did not, in a form that rounds after it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from prism.probe.store.ordinal import bits_of, format_of, spacing

CAUSES = ("moved", "no_gradient", "below_half", "other")


class Glass:
    """A parameter of its own with an optimizer around it.

    Args:
        weights: to start from; copied.
        optimizer: makes the optimizer of a list of parameters, with ``lr``, ``betas``,
            ``weight_decay`` in its groups and ``exp_avg``, ``exp_avg_sq`` in its state.
    """

    def __init__(self, weights: Tensor, optimizer: Any) -> None:
        self.p = nn.Parameter(weights.detach().clone())
        self.optimizer: Optimizer = optimizer([self.p])
        self.steps = 0

    def step(self, grad: Tensor, lr: float, causes: bool = False) -> dict[str, float] | None:
        """One step; with ``causes``, the shares of numbers by cause."""
        before = self.p.detach().clone() if causes else None
        state = self.optimizer.state[self.p]
        latch = state["exp_avg_sq"].clone() if causes and state else None
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.p.grad = grad
        self.optimizer.step()
        self.steps += 1
        self.p.grad = None
        return None if before is None else self._shares(before, latch, grad, lr)

    def _shares(
        self, before: Tensor, latch: Tensor | None, grad: Tensor, lr: float
    ) -> dict[str, float]:
        (group,) = self.optimizer.param_groups
        state = self.optimizer.state[self.p]
        wanted = update(state["exp_avg"], state["exp_avg_sq"], self.steps, lr, group["betas"])
        after = self.p.detach()
        half = torch.from_numpy(spacing(bits_of(before), format_of(before.dtype))) / 2
        cause = np.select(
            [x.numpy() for x in (after != before, wanted == 0, wanted.abs() < half)], [0, 1, 2], 3
        )
        shares = np.bincount(cause.ravel(), minlength=4) / cause.size
        found = dict(zip(CAUSES, shares.tolist(), strict=True))
        factor = 1 - lr * group["weight_decay"]
        if latch is not None:
            falls = grad.double().square() < latch.double()
            found["latched"] = (falls & (state["exp_avg_sq"] == latch)).double().mean().item()
        if factor != 1:
            lost = (before * factor == before) & (before != 0)
            found["decay_lost"] = lost.double().mean().item()
        return found


def update(
    m: Tensor, v: Tensor, step: int, lr: float, betas: tuple[float, float], eps: float = 1e-8
) -> Tensor:
    """The update that AdamW wants at ``step`` (from 1) after the moments, in float64, sign as it is
    subtracted."""
    root = (v.double() / (1 - betas[1] ** step)).sqrt()
    return lr / (1 - betas[0] ** step) * m.double() / (root + eps)


def torch_adamw(lr: float, betas: tuple[float, float], weight_decay: float, fused: bool) -> Any:
    """Maker of torch's AdamW for :class:`Glass`, fused or operation by operation."""

    def make(parameters: list[nn.Parameter]) -> AdamW:
        form = {"fused": True} if fused else {"foreach": False}
        return AdamW(parameters, lr=lr, betas=betas, weight_decay=weight_decay, **form)

    return make
