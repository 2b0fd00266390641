"""Reasons to stop a run or to skip a step: divergence, outliers, signals.

A loss or gradient norm that is not finite on any rank stops all ranks before the optimizer step, so
the weights are still those of the last good step. The rows with a bad loss are named; if only the
gradient is bad, the step is run once more, looking row by row at the gradient that arrives at the
embeddings. An outlier is a norm more than n standard deviations above the mean of the last ones:
its step can be skipped. SIGTERM, Ctrl-C and the end of the terminal are requests: the step in
progress ends, the run saves and exits cleanly.
"""

from __future__ import annotations

import signal
import statistics
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from prism.data import RowBatch
from prism.engine.loop.step import Gradients, accumulate

if TYPE_CHECKING:
    from prism.engine.loop.trainer import Trainer

WINDOW = 128
FEWEST = 16
SIGNALS = (signal.SIGTERM, signal.SIGINT, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))


class DivergedError(Exception):
    """A loss or gradient is not finite; the message names step, streams and sources."""


def diagnose(run: Trainer, batch: RowBatch, gradients: Gradients) -> DivergedError:
    """Find the streams behind a step that is not finite. Every rank must call this.

    Args:
        run: in the state that the step started from.
        batch: the rows of the step.
        gradients: of the step.
    """
    bad = gradients.bad_rows if gradients.any_bad else _rows_of_bad_gradients(run, batch)
    kind = "loss" if gradients.any_bad else "gradient"
    mine = [f"row stream {run.states.streams[row]} ({batch.sources[row]})" for row in bad]
    everywhere: list[Any] = [None] * run.w.size
    dist.all_gather_object(everywhere, mine)
    names = [name for part in everywhere for name in part] or ["no single row stream"]
    return DivergedError(f"step {run.step + 1}: the {kind} is not finite in {', '.join(names)}")


def _rows_of_bad_gradients(run: Trainer, batch: RowBatch) -> list[int]:
    """Rows of this rank at whose embeddings a gradient arrives that is not finite."""
    arrived: list[Tensor] = []

    def watch(module: nn.Module, inputs: Any, output: Tensor) -> None:
        output.requires_grad_()  # a frozen embedding is watched too
        output.register_hook(lambda grad: arrived.append(grad.detach()))

    embedding = next(m for m in run.model.modules() if isinstance(m, nn.Embedding))
    handle = embedding.register_forward_hook(watch)
    run.model.zero_grad(set_to_none=True)
    try:
        accumulate(run.model, batch, run.states, run.w, run.spec.losses, run.step)
    finally:
        handle.remove()
        run.model.zero_grad(set_to_none=True)
    rows = torch.cat([grad.flatten(1).isfinite().all(dim=1) for grad in arrived])
    return (~rows).nonzero().flatten().tolist()


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
        """True if a step of this norm is to be skipped; a norm that is not is remembered."""
        if self.sigmas > 0 and len(self.history) >= FEWEST and norm > self.limit():
            return True
        self.history.append(norm)
        return False

    def limit(self) -> float:
        """The largest norm that is taken."""
        past: Sequence[float] = self.history
        return statistics.fmean(past) + self.sigmas * statistics.stdev(past)


class Stop:
    """``asked`` becomes True when the process is asked to stop."""

    def __init__(self) -> None:
        self.asked = False

    def ask(self, number: int = 0, frame: FrameType | None = None) -> None:
        """Ask; a second Ctrl-C interrupts at once."""
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = True


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Listen inside; the handlers of before come back afterwards."""
    stop = Stop()
    heard = [n for n in SIGNALS if signal.getsignal(n) is not signal.SIG_IGN]  # nohup ignores one
    before = {number: signal.signal(number, stop.ask) for number in heard}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
