"""Sums since the last log line: losses, speed, where the time went.

Speed counts real tokens, over the time that training takes: validating and saving have shares of
their own. MFU is model FLOPs (no recomputation) over the peak of the device for the dtype that
runs, given only where the peak is known.
"""

from __future__ import annotations

import math
import resource
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from prism.engine.logs.clock import APART, Clock
from prism.engine.loop.step import Gradients
from prism.engine.loop.validation import Remaining
from prism.engine.parallel.world import World

MIB = 2**20


class Display(Protocol):
    """Somebody who watches between the records."""

    def stepped(self) -> None:
        """A step is done."""

    def validating(self, done: int, total: int) -> None:
        """So many of the forward passes of a validation are done."""


class Nobody:
    """Display of the ranks that show nothing."""

    def stepped(self) -> None:
        """Nothing to do."""

    def validating(self, done: int, total: int) -> None:
        """Nothing to do."""


@dataclass
class Meter:
    """Sums over the steps since the last record.

    Attributes:
        w: the ranks.
        kinds: names of the router's kinds.
        flops_per_token: model FLOPs of a training step per token.
        peak: FLOP/s of one rank's device in the dtype of the run, or None.
        clock: goes on from meter to meter.
        display: is told of every step.
    """

    w: World
    kinds: tuple[str, ...]
    flops_per_token: float
    peak: float | None
    clock: Clock = field(default_factory=Clock)
    display: Display = field(default_factory=Nobody)
    steps: int = 0
    logs: dict[str, float] = field(default_factory=dict)
    targets: int = 0
    tokens: int = 0
    bytes: int = 0
    norm: float = 0.0
    skipped: int = 0
    loads: Tensor | None = None

    def timed(self, part: str) -> AbstractContextManager[None]:
        """Add the seconds inside to ``part``."""
        return self.clock.timed(part)

    def add(self, gradients: Gradients, norm: float, skipped: bool) -> None:
        """Count a step."""
        self.steps += 1
        for name, mean in gradients.logs.items():
            self.logs[name] = self.logs.get(name, 0.0) + mean * gradients.targets
        self.targets += gradients.targets
        self.tokens += gradients.real
        self.bytes += gradients.bytes
        self.norm = norm
        self.skipped += skipped
        self.display.stepped()
        if gradients.loads is not None:
            self.loads = gradients.loads if self.loads is None else self.loads + gradients.loads

    def record(
        self, step: int, rate: float, ahead: Remaining, passes: dict[str, float]
    ) -> dict[str, Any]:
        """The numbers of the steps since the last record; starts anew.

        Args:
            step: steps done.
            rate: learning rate of the last step.
            ahead: work to go, this step's validation and saving included.
            passes: over the data, by source.
        """
        wall, parts = self.clock.lap()
        training = max(wall - sum(parts.get(part, 0.0) for part in APART), 1e-9)
        each = training / max(self.steps, 1)
        forward = parts.get("gradients", training) / max(self.tokens, 1)
        means = {name: total / max(self.targets, 1) for name, total in self.logs.items()}
        record: dict[str, Any] = {"step": step}
        if "loss" in means:
            bits = self.logs["loss"] / math.log(2) / max(self.bytes, 1)
            record |= {"loss": means.pop("loss"), "bits_per_byte": bits}
        record |= {
            "lr": rate,
            "grad_norm": self.norm,
            "tokens_per_second": self.tokens / training,
            "seconds_per_step": each,
            "eta_seconds": self.clock.to_come(ahead, each, forward),
            "memory_mib": memory_mib(self.w.device),
        }
        if self.peak is not None:
            model_flops = self.tokens / training * self.flops_per_token
            record["mfu"] = model_flops / (self.peak * self.w.size)
        record |= means
        if passes:
            record["passes"] = passes
        if self.skipped:
            record["skipped"] = self.skipped
        if self.loads is not None:
            loads = (self.loads / self.steps).mean(dim=0).tolist()
            record["loads"] = dict(zip(self.kinds, loads, strict=True))
        record |= _time(wall, parts)
        self._restart()
        return record

    def closing(self, step: int) -> dict[str, Any]:
        """The time since the last record, which went into the last validation and checkpoint."""
        return {"step": step, **_time(*self.clock.lap())}

    def _restart(self) -> None:
        fresh = Meter(self.w, self.kinds, self.flops_per_token, self.peak, self.clock, self.display)
        vars(self).update(vars(fresh))


def _time(wall: float, parts: dict[str, float]) -> dict[str, Any]:
    shares = {part: seconds / max(wall, 1e-9) for part, seconds in parts.items()}
    return {"wall_seconds": wall, "time": shares}


def memory_mib(device: torch.device) -> float:
    """Most memory used so far: of the GPU, or of the process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / MIB
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (MIB if sys.platform == "darwin" else 1024)  # macOS counts bytes, Linux KiB
