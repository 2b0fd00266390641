"""Show how far training is: a bar in a terminal, a plain line every few seconds anywhere else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

HEARTBEAT = 10.0  # seconds between plain lines
SMOOTHING = 0.9


class Teller:
    """Called after each step with the steps done and the loss, which it smooths."""

    def __init__(self, steps: int, console: Console, bar: Progress | None) -> None:
        self._steps, self._console, self._bar = steps, console, bar
        self._task = None if bar is None else bar.add_task("training", total=steps, loss="")
        self._loss: float | None = None
        self._last = time.monotonic()

    def __call__(self, step: int, loss: float) -> None:
        before = loss if self._loss is None else self._loss
        self._loss = SMOOTHING * before + (1 - SMOOTHING) * loss
        if self._bar is not None:
            self._bar.update(self._task, completed=step, loss=f"loss {self._loss:.3f}")
        elif time.monotonic() - self._last > HEARTBEAT or step == self._steps:
            self._last = time.monotonic()
            self._console.print(f"step {step}/{self._steps}  loss {self._loss:.3f}")


@contextmanager
def telling(steps: int, console: Console) -> Iterator[Teller]:
    """A :class:`Teller` for ``steps`` steps on ``console``."""
    if not console.is_terminal:
        yield Teller(steps, console, None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[loss]}"))
    with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
        yield Teller(steps, console, bar)
