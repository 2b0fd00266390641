"""The random generators of a process as plain JSON: torch (CPU and current GPU), numpy, Python."""

from __future__ import annotations

import base64
import random
from typing import Any

import numpy as np
import torch


def seed_all(seed: int, rank: int) -> None:
    """Start every generator of this process; ranks differ."""
    mixed = np.random.SeedSequence([seed, rank]).generate_state(3)
    torch.manual_seed(int(mixed[0]))
    np.random.seed(int(mixed[1]))  # noqa: NPY002 - the global generator is what is being seeded
    random.seed(int(mixed[2]))


def rng_state() -> dict[str, Any]:
    """All generators, as JSON."""
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    version, internal, gauss = random.getstate()
    state = {
        "torch": _text(torch.get_rng_state()),
        "numpy": [name, keys.tolist(), *rest],
        "python": [version, list(internal), gauss],
    }
    if torch.cuda.is_available():
        state["cuda"] = _text(torch.cuda.get_rng_state())
    return state


def restore_rng(state: dict[str, Any]) -> None:
    """Set all generators to what :func:`rng_state` saw."""
    torch.set_rng_state(_bytes(state["torch"]))
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, np.asarray(keys, dtype=np.uint32), *rest))  # noqa: NPY002
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(_bytes(state["cuda"]))


def _text(state: torch.Tensor) -> str:
    return base64.b64encode(state.numpy().tobytes()).decode("ascii")


def _bytes(text: str) -> torch.Tensor:
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)
