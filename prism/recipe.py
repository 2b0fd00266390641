"""The training recipe of every small model of the project: optimizer, schedules, one step.

AdamW (betas 0.9, 0.95), weight decay 0.1 on matrices only, gradient norm clipped at 1, of each part
of a model that has a loss of its own. This is the common denominator of the papers that the
baselines come from; it does not know which model it trains. Schedules give the rate of step s in
0..steps-1 with W steps of warm-up, peak rate p and final share r of the peak:

    warm-up   p (s + 1) / W                                     s < W
    cosine    p (r + (1 - r) (1 + cos(pi x)) / 2)               x from 0 to 1 after W
    wsd       p, then p (1 - (1 - r) x)                         x from 0 to 1 over the last steps

Where the data repeats, a share of every branch's output is dropped while training
(``config.dropout``), drawn from torch's global generator: whoever trains seeds it, and saves it
with the run.

WSD (warm-up, stable, decay: arXiv 2404.06395) lets a run be extended: its long middle does not
depend on the number of steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

if TYPE_CHECKING:
    from prism.model.protocol import LanguageModel, PrismOutput

BETAS = (0.9, 0.95)
WEIGHT_DECAY = 0.1
CLIP_NORM = 1.0
WARM_UP = 0.1  # share of the steps
FINAL_RATE = 0.1  # share of the peak
EXPLORATION = 0.5  # share of the steps


@dataclass(frozen=True)
class StepLoss:
    """Losses of one forward pass.

    Attributes:
        objective: scalar to minimise, auxiliary losses included.
        reported: scalar to log.
        loads: ``[L, E]`` router loads of the output, or None.
    """

    objective: Tensor
    reported: Tensor
    loads: Tensor | None = None


def own_loss(output: PrismOutput, loss: Callable[[Tensor], Tensor]) -> Tensor | float:
    """Sum over the symbolic machines of ``loss`` of a machine's own answer, the logits
    ``[B, T, V]`` of ``output.own``, by which alone it is trained: to be added to that of the
    model's. 0 where there is none."""
    return 0.0 if output.own is None else sum(map(loss, output.own))


# tables of PRISM's parameters whose entries mean something one by one: a head's offset in phases,
# the scores by which a symbolic unit picks its primitive, the taps of a filter, the gains of a
# lookup
TABLES = ("offset", "choice", "preference", "taps", "gain")


def decays(name: str, parameter: Tensor) -> bool:
    """True where weight decay applies: to matrices but those called as one of ``TABLES``; not to
    vectors and scalars. A name tells it in every copy, shard and wrapper of a model.

    Args:
        name: as in ``named_parameters()``, with the modules around it.
    """
    return parameter.ndim >= 2 and name.rpartition(".")[2] not in TABLES


def parameter_groups(model: nn.Module) -> list[dict[str, Any]]:
    """The trainable parameters of ``model`` in two groups, with and without weight decay."""
    trainable = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    return [
        {"params": [p for n, p in trainable if decays(n, p)], "weight_decay": WEIGHT_DECAY},
        {"params": [p for n, p in trainable if not decays(n, p)], "weight_decay": 0.0},
    ]


def adamw(model: nn.Module, rate: float) -> AdamW:
    """The optimizer of the recipe, fused, at learning rate ``rate``."""
    return AdamW(parameter_groups(model), lr=rate, betas=BETAS, fused=True)


def cosine(
    step: int, steps: int, peak: float, warm_up: int | None = None, final: float = FINAL_RATE
) -> float:
    """Rate of step ``step``: linear warm-up, then a cosine down to ``final`` times the peak.

    Args:
        warm_up: steps; None = a tenth of all, at least one.
    """
    warm_up = warm_up_steps(steps, WARM_UP) if warm_up is None else warm_up
    if step < warm_up:
        return peak * (step + 1) / warm_up
    progress = min((step + 1 - warm_up) / max(1, steps - warm_up), 1.0)
    return peak * (final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress)))


def warm_up_steps(steps: int, share: float) -> int:
    """Steps of warm-up of a run of ``steps``, at least one."""
    return max(1, round(share * steps))


def wsd(
    step: int, steps: int, peak: float, warm_up: int = 0, decay: int = 1, final: float = 0.0
) -> float:
    """Rate of step ``step``: linear warm-up, constant, linear decay over the last ``decay`` steps
    down to ``final`` times the peak."""
    if step < warm_up:
        return peak * (step + 1) / warm_up
    progress = min(max(step + 1 - (steps - decay), 0) / decay, 1.0)
    return peak * (1 - (1 - final) * progress)


def exploration(step: int, steps: int, share: float = EXPLORATION) -> float:
    """Router exploration of step ``step``, the weight of the kinds that lost a token: from 1 down
    to 0 over the first ``share`` of the steps."""
    length = share * steps
    return max(0.0, 1.0 - step / length) if length > 0 else 0.0


def train_step(
    model: LanguageModel,
    optimizer: Optimizer,
    loss_fn: Callable[[], StepLoss],
    rate: float,
    epsilon: float | None = None,
) -> float:
    """One optimizer step at learning rate ``rate``.

    Args:
        loss_fn: runs ``model`` on the step's batch.
        epsilon: router exploration of this step; None = as it is.

    Returns:
        The reported loss before the step.
    """
    for group in optimizer.param_groups:
        group["lr"] = rate
    if epsilon is not None:
        model.set_exploration(epsilon)
    loss = loss_fn()
    optimizer.zero_grad(set_to_none=True)
    loss.objective.backward()
    for part in model.trained_apart():
        torch.nn.utils.clip_grad_norm_(part, CLIP_NORM)
    optimizer.step()
    model.after_step(loss.loads)
    return loss.reported.item()


def finite(value: float, name: str, where: str = "") -> float:
    """``value``, if it is a number.

    Raises:
        FloatingPointError: it is infinite or NaN.
    """
    if not math.isfinite(value):
        raise FloatingPointError(f"{name} is {value}{where}")
    return value
