"""Sums since the last log line: losses, speed, where the time went.

Speed counts real tokens only, over all that happened: validation and saving too. MFU is model FLOPs
(no recomputation) over the peak of the device, given only where the peak is known.
"""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from prism.engine.loop.step import Gradients
from prism.engine.parallel.world import World

MIB = 2**20


@dataclass
class Meter:
    """Sums over the steps since the last record.

    Attributes:
        w: the ranks.
        kinds: names of the router's kinds.
        flops_per_token: model FLOPs of a training step per token.
        peak: FLOP/s of one rank's device, or None.
    """

    w: World
    kinds: tuple[str, ...]
    flops_per_token: float
    peak: float | None
    steps: int = 0
    logs: dict[str, float] = field(default_factory=dict)
    targets: int = 0
    tokens: int = 0
    bytes: int = 0
    norm: float = 0.0
    skipped: int = 0
    loads: Tensor | None = None
    spent: dict[str, float] = field(default_factory=dict)
    since: float = field(default_factory=time.perf_counter)

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the seconds inside to ``part``."""
        begin = time.perf_counter()
        yield
        self.spent[part] = self.spent.get(part, 0.0) + time.perf_counter() - begin

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
        if gradients.loads is not None:
            self.loads = gradients.loads if self.loads is None else self.loads + gradients.loads

    def record(self, step: int, rate: float, left: int) -> dict[str, Any]:
        """The numbers of the steps since the last record; starts anew.

        Args:
            step: steps done.
            rate: learning rate of the last step.
            left: steps to go.
        """
        wall = time.perf_counter() - self.since
        speed = self.tokens / wall
        means = {name: total / max(self.targets, 1) for name, total in self.logs.items()}
        record: dict[str, Any] = {"step": step}
        if "loss" in means:
            bits = self.logs["loss"] / math.log(2) / max(self.bytes, 1)
            record |= {"loss": means.pop("loss"), "bits_per_byte": bits}
        record |= {
            "lr": rate,
            "grad_norm": self.norm,
            "tokens_per_second": speed,
            "seconds_per_step": wall / max(self.steps, 1),
            "eta_seconds": left * wall / max(self.steps, 1),
            "memory_mib": memory_mib(self.w.device),
        }
        if self.peak is not None:
            record["mfu"] = speed * self.flops_per_token / (self.peak * self.w.size)
        record |= means
        if self.skipped:
            record["skipped"] = self.skipped
        if self.loads is not None:
            shares = (self.loads / self.steps).mean(dim=0).tolist()
            record["loads"] = dict(zip(self.kinds, shares, strict=True))
        record["time"] = {part: seconds / wall for part, seconds in self.spent.items()}
        self._restart()
        return record

    def _restart(self) -> None:
        fresh = Meter(self.w, self.kinds, self.flops_per_token, self.peak)
        vars(self).update(vars(fresh))


def memory_mib(device: torch.device) -> float:
    """Most memory used so far: of the GPU, or of the process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / MIB
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (MIB if sys.platform == "darwin" else 1024)  # macOS counts bytes, Linux KiB
