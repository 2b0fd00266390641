"""What stops or skips a step before the optimizer sees it.

A loss or gradient norm that is not finite on any rank stops all ranks; the weights are still those
of the last good step. To name the culprit the step is run once more, looking lane by lane at the
loss and at the gradient that arrives at the embeddings. An outlier is a norm more than n standard
deviations above the mean of the last ones: its step can be skipped.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from prism.data import RowBatch
from prism.engine.loop.lanes_state import LaneStates
from prism.engine.loop.step import accumulate
from prism.engine.parallel.world import World
from prism.model.protocol import LanguageModel

WINDOW = 128
FEWEST = 16


class DivergedError(Exception):
    """A loss or gradient is not finite; the message names step, lanes and sources."""


def diagnose(
    model: LanguageModel,
    batch: RowBatch,
    states: LaneStates,
    w: World,
    step: int,
) -> DivergedError:
    """Find the lanes behind a step that is not finite. Every rank must call this.

    Args:
        batch: the rows of the step.
        states: the states that it started from.
        step: number of the step, from 1.
    """
    arrived: list[Tensor] = []

    def watch(module: nn.Module, inputs: Any, output: Tensor) -> None:
        output.requires_grad_()  # a frozen embedding is watched too
        output.register_hook(lambda grad: arrived.append(grad.detach()))

    embedding = next(m for m in model.modules() if isinstance(m, nn.Embedding))
    handle = embedding.register_forward_hook(watch)
    model.zero_grad(set_to_none=True)
    try:
        found = accumulate(model, batch, states, w)
    finally:
        handle.remove()
        model.zero_grad(set_to_none=True)
    rows = torch.cat([grad.flatten(1).isfinite().all(dim=1) for grad in arrived])
    bad = sorted({*found.bad_rows, *(~rows).nonzero().flatten().tolist()})
    kind = "loss" if found.any_bad else "gradient"
    mine = [f"lane {states.lanes[row]} ({batch.sources[row]})" for row in bad]
    everywhere: list[Any] = [None] * w.size
    dist.all_gather_object(everywhere, mine)
    names = [name for part in everywhere for name in part] or ["no single lane"]
    return DivergedError(f"step {step}: the {kind} is not finite in {', '.join(names)}")


class Outliers:
    """Judges gradient norms by those before.

    Args:
        sigmas: standard deviations above the mean that are too many; 0 = none are.
        history: norms of earlier steps.
    """

    def __init__(self, sigmas: float, history: Iterable[float] = ()) -> None:
        self.sigmas = sigmas
        self.history: deque[float] = deque(history, maxlen=WINDOW)

    def is_outlier(self, norm: float) -> bool:
        """Whether to skip a step of this norm; a norm that is not skipped is remembered."""
        if self.sigmas > 0 and len(self.history) >= FEWEST and norm > self.limit():
            return True
        self.history.append(norm)
        return False

    def limit(self) -> float:
        """The largest norm that is taken."""
        past: Sequence[float] = self.history
        return statistics.fmean(past) + self.sigmas * statistics.stdev(past)
