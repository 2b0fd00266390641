"""Observers of the study's runs, and what its tracers have written."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import torch

from prism.engine.loop.observer import Observer
from prism.probe.store.ordinal import bits_of


class Checks(Observer):
    """CRC-32 of the bits of a matrix after every step, taken without the recorder."""

    name = "checks"

    def __init__(self, matrix: str) -> None:
        self.matrix, self.sums = matrix, {}

    def after_step(self, run: Any, gradients: Any, skipped: bool) -> None:
        p = run.model.get_parameter(self.matrix)
        whole = p.full_tensor() if hasattr(p, "full_tensor") else p
        self.sums[run.step] = zlib.crc32(bits_of(whole.detach()).tobytes())


class Memory(Observer):
    """Bytes of weights, gradients and the optimizer's state, by parameter."""

    name = "memory"

    def __init__(self) -> None:
        self.gradients = self.bytes_per_parameter = 0.0

    def after_backward(self, run: Any, gradients: Any, norm: float) -> None:
        found = [p.grad for p in run.model.parameters() if p.grad is not None]
        self.gradients = sum(_bytes(g) for g in found)

    def after_step(self, run: Any, gradients: Any, skipped: bool) -> None:
        parameters = list(run.model.parameters())
        states = [x for optimizer in run.optimizers.members for state in optimizer.state.values()
                  for x in state.values() if torch.is_tensor(x) and x.dim()]  # fmt: skip
        held = sum(map(_bytes, [*parameters, *states])) + self.gradients
        self.bytes_per_parameter = held / sum(p.numel() for p in parameters)


def _bytes(x: torch.Tensor) -> int:
    return x.numel() * x.element_size()


def tracers_of(folder: Path) -> dict[str, Any]:
    """Content of the file of a run's tracers."""
    return json.loads((folder / "tracers.json").read_text("utf-8"))
