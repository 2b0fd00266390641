"""Reasons to stop a run or to skip a step: divergence, outliers, signals.

A loss or gradient norm that is not finite on any rank stops all ranks before the optimizer step, so
the weights are still those of the last good step. The rows with a bad loss are named; if only the
gradient is bad, the step is run once more, looking row by row at the gradient that arrives at the
embeddings. An outlier is a norm far above the last ones: its step can be skipped
(:class:`Outliers`). SIGTERM, Ctrl-C and the end of the terminal are requests: the step in
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

WINDOW, RECENT = 128, 16  # norms
NORMAL = 1.4826  # standard deviation over median absolute deviation, of a normal distribution
LEAST_SPREAD = 0.01  # of the median, where norms hardly differ
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
        if inputs[0].dim() > 2:  # what a lookup found, not the tokens of a row
            return
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
    """Judges gradient norms by those before, skipped ones too.

    With m the median of some norms and s = 1.4826 x the median of their distances from m (of a
    normal distribution its standard deviation; at least a hundredth of m), a norm is an outlier if
    it is above ``m + sigmas s`` both of the last 128 norms and of the last 16. Single spikes move
    neither median, so they do not blind the next judgement. A new level is an outlier until it is
    half of the last 16, and is then learned: at most 8 or so steps in a row are skipped for it. The
    judgement is a function of the norms alone, so that a resume goes on with it.

    Args:
        sigmas: such deviations above the median that are too many; 0 = none are.
        history: norms of earlier steps.
    """

    def __init__(self, sigmas: float, history: Iterable[float] = ()) -> None:
        self.sigmas = sigmas
        self.history: deque[float] = deque(history, maxlen=WINDOW)

    def is_outlier(self, norm: float) -> bool:
        """True if a step of this norm is to be skipped; the norm is remembered in any case."""
        found = self.sigmas > 0 and len(self.history) >= RECENT and norm > self.limit()
        self.history.append(norm)
        return found

    def limit(self) -> float:
        """The largest norm that is taken."""
        past = list(self.history)
        return max(self._limit_of(past), self._limit_of(past[-RECENT:]))

    def _limit_of(self, past: Sequence[float]) -> float:
        middle = statistics.median(past)
        spread = NORMAL * statistics.median(abs(x - middle) for x in past)
        return middle + self.sigmas * max(spread, LEAST_SPREAD * middle)


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
