"""AdamW for weights that are kept in bf16, with no fp32 masters behind them.

The step is that of AdamW (arXiv 1711.05101) in fp32. What differs is how its result becomes bf16:

    nearest      w = bf16(x): an update below half a unit in the last place is lost
    stochastic   w = one of the two neighbours of x, the nearer the likelier; the mean is x
    kahan        w = bf16(x + c), c = what that rounding left out, itself kept in bf16

Nearest rounding cancels small updates of large weights; the other two keep them alive, on average
or in ``c`` (arXiv 2010.06192). A second moment ``v <- beta2 v + (1 - beta2) g^2`` that is kept in
bf16 and rounded to nearest can never fall where ``1 - beta2 < 2^-9``; with stochastic rounding the
moments are rounded so too.

Random bits are drawn from (seed, step, number of the parameter, shard): nothing to save, and the
same on the ranks that hold the same shard.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from prism.splitmix import GAMMA, mix

EPS = 1e-8
ROUNDINGS = ("nearest", "stochastic", "kahan")


class RoundedAdamW(Optimizer):
    """AdamW on bf16 weights.

    Args:
        groups: parameters with their ``weight_decay``, or parameters.
        lr: learning rate.
        betas: decay of the two moments.
        rounding: one of :data:`ROUNDINGS`.
        moments: dtype of the moments.
        seed: of stochastic rounding.
        shard: number of this rank's shard.
    """

    def __init__(
        self,
        groups: Iterable[Any],
        lr: float,
        betas: tuple[float, float],
        rounding: str,
        moments: torch.dtype,
        seed: int = 0,
        shard: int = 0,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(groups, {"lr": lr, "betas": betas, "weight_decay": weight_decay})
        self.rounding, self.moments, self.seed, self.shard = rounding, moments, seed, shard

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step on the gradients that are there."""
        number = 0
        for group in self.param_groups:
            for p in group["params"]:
                number += 1
                if p.grad is not None:
                    self._update(p, group, number)

    def _begun(self, p: Tensor) -> dict[str, Any]:
        state = self.state[p]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["exp_avg"] = torch.zeros_like(p, dtype=self.moments)
            state["exp_avg_sq"] = torch.zeros_like(p, dtype=self.moments)
            if self.rounding == "kahan":
                state["left_out"] = torch.zeros_like(p)
        return state

    def _update(self, p: Tensor, group: dict[str, Any], number: int) -> None:
        state = self._begun(p)
        state["step"] += 1
        step = int(state["step"])
        source = self._random(p, step, number) if self.rounding == "stochastic" else None
        x, m, v = adamw_step(
            *(t.float() for t in (p, p.grad, state["exp_avg"], state["exp_avg_sq"])),
            step=step,
            lr=group["lr"],
            betas=group["betas"],
            weight_decay=group["weight_decay"],
        )
        for name, value in (("exp_avg", m), ("exp_avg_sq", v)):
            state[name].copy_(rounded(value, self.moments, source))
        if self.rounding == "kahan":
            x = x + state["left_out"].float()
        new = rounded(x, p.dtype, source)
        if self.rounding == "kahan":
            state["left_out"].copy_(x - new.float())
        p.copy_(new)

    def _random(self, p: Tensor, step: int, number: int) -> torch.Generator:
        word = self.seed
        for part in (step, number, self.shard):
            word = mix(word * GAMMA + part)
        return torch.Generator(p.device).manual_seed(word >> 1)


def adamw_step(
    x: Tensor,
    grad: Tensor,
    m: Tensor,
    v: Tensor,
    *,
    step: int,
    lr: float,
    betas: tuple[float, float],
    weight_decay: float,
    eps: float = EPS,
) -> tuple[Tensor, Tensor, Tensor]:
    """The weights and moments after a step, in fp32; the operations of torch's AdamW in their
    order.

    Args:
        x: weights; not changed, like all the tensors.
        step: counted from 1.
    """
    beta1, beta2 = betas
    x = x * (1 - lr * weight_decay)
    m = torch.lerp(m, grad, 1 - beta1)
    v = (v * beta2).addcmul_(grad, grad, value=1 - beta2)
    rate, correction = lr / (1 - beta1**step), math.sqrt(1 - beta2**step)
    return x.addcdiv_(m, (v.sqrt() / correction).add_(eps), value=-rate), m, v


def rounded(x: Tensor, dtype: torch.dtype, source: torch.Generator | None) -> Tensor:
    """``x``, fp32, in ``dtype``: rounded stochastically to bf16 where there is a ``source`` of
    random bits, else to nearest.

    Adding 16 random bits below those that bf16 keeps, and cutting them off, carries with the
    probability that is left: bits are of magnitude and sign, so this holds for either sign.
    """
    if source is None or dtype != torch.bfloat16:
        return x.to(dtype)
    noise = torch.randint(0, 1 << 16, x.shape, dtype=torch.int32, device=x.device, generator=source)
    up = ((x.view(torch.int32) + noise) & -(1 << 16)).view(torch.float32)
    return torch.where(x.isfinite(), up, x).bfloat16()
