"""Progress of a comparison: live bars in a terminal, plain lines anywhere else."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from prism.compare.protocol import Job
from prism.compare.summary import UNITS
from prism.recipe import WARM_UP

HEARTBEAT = 30.0  # seconds between plain lines while nothing finishes


class Eta:
    """Time left, from the expected cost of jobs and the pace so far.

    Args:
        costs: expected cost by job key, any unit.
    """

    def __init__(self, costs: dict[tuple, float]) -> None:
        self._costs = costs
        self._share: dict[tuple, float] = {}
        self._start = time.monotonic()

    def update(self, job: Job, share: float) -> None:
        """``share`` of the job is done."""
        self._share[job.key] = share

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    @property
    def fraction(self) -> float:
        """Share of the whole cost that is done."""
        done = sum(self._costs[key] * share for key, share in self._share.items())
        return done / max(sum(self._costs.values()), 1e-9)

    def __str__(self) -> str:
        done = self.fraction
        if done < 0.005:
            return "ETA –:––:––"
        return f"ETA {timedelta(seconds=round(self.elapsed * (1 - done) / done))}"


def outcome(run: dict[str, Any]) -> str:
    """Result of a finished run in a few words."""
    if run["error"] is not None:
        return f"failed: {run['error']}"
    metric, length = run["metric"], run["train_length"]
    if run["test"] is None:
        return f"validation {UNITS[metric]} {run['val'][metric]:.3f}"
    far = list(run["test"]["by_length"].items())[-1]
    at_length = f", {far[1]:.3f} at T={far[0]}" if far[1] is not None else ""
    score = f"test {UNITS[metric]} {run['test'][metric]:.3f} at T={length}"
    return score + (at_length if int(far[0]) != length else "")


def describe(job: Job) -> str:
    """Task, model, seed and recipe in columns."""
    text = f"{job.task:<10} {job.model:<12} seed {job.seed}  lr {job.lr:<6g}"
    text += f" warm-up {job.warm_up:g}" if job.warm_up != WARM_UP else ""
    return text + (f" dropout {job.dropout:g}" if job.dropout else "")


class Display:
    """One line per finished run, and a heartbeat."""

    def __init__(self, console: Console, jobs: Sequence[Job], eta: Eta) -> None:
        self.console = console
        self.total = len(jobs)
        self.count = 0
        self.eta = eta
        self._last = 0.0  # seconds from the start to the last line
        self._current = "starting"

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing to clean up by default."""

    def progress(self, job: Job, step: int, loss: float) -> None:
        """A job has done ``step`` steps; the evaluation at its end counts as forward passes."""
        trained, whole = step * job.batch_size, job.steps * job.batch_size
        self.eta.update(job, trained / (whole + job.evaluation))
        self._current = f"{describe(job)}  step {step}/{job.steps}  loss {loss:.3f}"

    def finished(self, job: Job, run: dict[str, Any]) -> None:
        """A job has given a run."""
        self.count += 1
        self.eta.update(job, 1.0)
        seconds = f"  {run['seconds']:.0f} s" if run["seconds"] else ""
        line = f"[{self.count}/{self.total}] {describe(job)}  {outcome(run)}{seconds}"
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)
        self._last = self.eta.elapsed

    def tick(self) -> None:
        """About once a second."""
        if self.eta.elapsed - self._last >= HEARTBEAT:
            self._last = self.eta.elapsed
            line = f"... {self.count}/{self.total} runs, {self.eta}  ({self._current})"
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)


class Live(Display):
    """The same in a terminal: a bar for the whole and one for each run under way, no heartbeat."""

    def __init__(self, console: Console, jobs: Sequence[Job], eta: Eta) -> None:
        super().__init__(console, jobs, eta)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[note]}"),
            console=console,
        )
        self._whole = self._bars.add_task("all runs", total=1.0, note="starting")
        self._bar: dict[Job, TaskID] = {}

    def __enter__(self) -> Display:
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        for bar in self._bar.values():
            self._bars.remove_task(bar)
        self._bars.stop()

    def progress(self, job: Job, step: int, loss: float) -> None:
        super().progress(job, step, loss)
        if job not in self._bar:
            self._bar[job] = self._bars.add_task(describe(job), total=job.steps, note="")
        note = f"step {step}/{job.steps}  loss {loss:.3f}"
        self._bars.update(self._bar[job], completed=step, note=note)

    def finished(self, job: Job, run: dict[str, Any]) -> None:
        if job in self._bar:
            self._bars.remove_task(self._bar.pop(job))
        super().finished(job, run)

    def tick(self) -> None:
        note = f"{self.count}/{self.total} runs  {self.eta}"
        self._bars.update(self._whole, completed=self.eta.fraction, note=note)
