"""Seconds of a run by purpose, and how many are still to come.

    to come = steps to go x seconds per step
              + validations to go x seconds per validation + checkpoints to go x seconds per one

The seconds per step are those since the last log line, without validating and saving. Before the
first validation a forward pass is taken to cost a third of forward and backward.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prism.engine.loop.validation import Remaining

APART = ("validation", "saving")  # parts that are not training
OTHER = "other"  # what is not timed: logging, observers


class Clock:
    """Seconds by part, since the start and since the last :meth:`lap`."""

    def __init__(self) -> None:
        self.since = time.perf_counter()
        self.wall = 0.0  # of the laps so far
        self.spent: dict[str, float] = {}  # since the last lap
        self.total: dict[str, float] = {}  # of the laps so far
        self.each: dict[str, tuple[int, float]] = {}  # of the parts apart: how often, seconds

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the seconds inside to ``part``."""
        begin = time.perf_counter()
        yield
        seconds = time.perf_counter() - begin
        self.spent[part] = self.spent.get(part, 0.0) + seconds
        if part in APART:
            count, before = self.each.get(part, (0, 0.0))
            self.each[part] = count + 1, before + seconds

    def lap(self) -> tuple[float, dict[str, float]]:
        """Seconds since the last lap, and by part; they add up. Starts anew."""
        now = time.perf_counter()
        wall, parts = now - self.since, self.spent
        parts[OTHER] = max(0.0, wall - sum(parts.values()))
        for part, seconds in parts.items():
            self.total[part] = self.total.get(part, 0.0) + seconds
        self.wall += wall
        self.since, self.spent = now, {}
        return wall, parts

    def to_come(self, ahead: Remaining, step_seconds: float, token_seconds: float) -> float:
        """Seconds until the end of the run.

        Args:
            step_seconds: of a training step.
            token_seconds: of its gradients, per token.
        """
        validation = self._mean("validation", token_seconds / 3 * ahead.validation_tokens)
        saving = self._mean("saving", 0.0)
        return ahead.steps * step_seconds + ahead.validations * validation + ahead.saves * saving

    def _mean(self, part: str, unknown: float) -> float:
        count, seconds = self.each.get(part, (0, 0.0))
        return seconds / count if count else unknown


def spelled(seconds: float) -> str:
    """``2:05``, ``3:02:05``, or ``4 days 3 h``."""
    whole = round(seconds)
    if whole >= 2 * 86_400:
        return f"{whole // 86_400} days {whole % 86_400 // 3600} h"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d}"
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def shares(parts: dict[str, float]) -> str:
    """``gradients 80%, validation 15%, saving 5%``: the largest first, without those below half a
    percent."""
    total = sum(parts.values()) or 1.0
    ordered = sorted(parts.items(), key=lambda item: -item[1])
    return ", ".join(f"{part} {s / total:.0%}" for part, s in ordered if s / total >= 0.005)
