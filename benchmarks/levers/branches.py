"""Final loss of a run at several budgets, and the budget that reaches a target loss.

One trunk, and at every budget a copy whose rate decays to zero within it. Between two budgets the
final loss is taken as linear in the logarithm of the cost; the cost at which it comes down to the
baseline's is the answer to "how much cheaper". Outside of the budgets nothing is extrapolated: a
target that the least budget already meets costs at most that, one that the largest misses is not
reached.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.levers.loop import Learner, Watch, Weigh, decay, held_out_loss, start, stay
from benchmarks.levers.text import Batches
from prism import Prism, PrismConfig
from prism.data import RowBatch


@dataclass(frozen=True)
class Budget:
    """``share`` of the baseline's budget; the trunk ends at step ``until``, ``steps`` of decay."""

    share: float
    until: int
    steps: int


def begin(config: dict[str, Any], seed: int, size: str, rate: float, sizes: Any) -> Learner:
    """A new PRISM before its first step; ``sizes`` has the ``warm_up`` and the ``shape``."""
    model = Prism(PrismConfig.from_dict(config | {"seed": seed}))
    return start(model, size, rate, sizes.warm_up, sizes.shape.length)


def train_whole(learner: Learner, batches: Batches, steps: int, decay_share: float) -> None:
    """Train from the first of ``steps`` to the last, the rate decaying in the given share."""
    last = max(1, round(decay_share * steps))
    stay(learner, batches, steps - last)
    decay(learner, batches, last)


def budgets(shares: Sequence[float], total: int, done: int, decay_share: float) -> list[Budget]:
    """Budgets in steps of the final size.

    Args:
        shares: of the baseline's ``total`` steps, ascending.
        total: steps of the baseline.
        done: what has been spent before, in such steps (a smaller stage may have taken more).
        decay_share: share of each budget in which the rate decays.

    Raises:
        ValueError: nothing is left for the trunk of the least budget.
    """
    found = []
    for share in shares:
        steps = max(1, round(decay_share * share * total))
        until = round(share * total) - done - steps
        if until < 0:
            raise ValueError(f"share = {share:g}: leaves {until} steps; must leave some")
        found.append(Budget(share, until, steps))
    return found


def ends(
    learner: Learner,
    batches: Batches,
    held_out: Sequence[RowBatch],
    plan: Sequence[Budget],
    weigh: Weigh | None = None,
    watch: Watch | None = None,
) -> list[dict[str, Any]]:
    """Train the trunk and end a copy at every budget; ``until`` counts from the learner's step.

    Returns:
        per budget ``share, loss, steps`` (by size)``, tokens, flops, cpu_seconds``.
    """
    begun, rows = learner.step, []
    for budget in plan:
        stay(learner, batches, begun + budget.until, weigh, watch)
        end = learner.branch()
        decay(end, batches, budget.steps, weigh)
        row = {"share": budget.share, "loss": held_out_loss(end.model, held_out)}
        row |= {"steps": end.steps, "tokens": end.tokens, "flops": end.flops}
        rows.append(row | {"cpu_seconds": end.cpu_seconds})
    return rows


def cost_of(target: float, costs: Sequence[float], losses: Sequence[float]) -> float | None:
    """Least cost at which the loss comes down to ``target``; None if it never does.

    Args:
        target: a loss.
        costs: ascending.
        losses: at these costs.
    """
    if losses[0] <= target:
        return costs[0]
    for i in range(1, len(costs)):
        if losses[i] <= target:
            low, high = math.log(costs[i - 1]), math.log(costs[i])
            part = (losses[i - 1] - target) / (losses[i - 1] - losses[i])
            return math.exp(low + part * (high - low))
    return None
