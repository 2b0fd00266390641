"""A model, a task and runs that are small enough to think about."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from prism.compare.protocol import Job
from prism.model.protocol import LanguageModel, PrismOutput
from tasks import Task


class Echo(Task):
    """Say the token that was just read: learnt in a few steps by any model."""

    name = "echo"
    vocab_size = 5
    metric = "accuracy"
    chance = 0.2
    train_length = 8
    test_lengths = (8, 16)
    lengths = range(1, 1000)

    def draw(
        self, rng: np.random.Generator, split: str, batch_size: int, length: int
    ) -> tuple[np.ndarray, np.ndarray]:
        tokens = rng.integers(self.vocab_size, size=(batch_size, length))
        return tokens, tokens.copy()


class Bigram(LanguageModel):
    """Logits from the current token alone; writes down what the trainer tells it."""

    def __init__(self, vocab_size: int = 5, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.table = nn.Parameter(0.02 * torch.randn(vocab_size, vocab_size, generator=generator))
        self.bias = nn.Parameter(torch.zeros(vocab_size))
        self.epsilons: list[float] = []
        self.steps = 0

    def forward(
        self, tokens: Tensor, state: Any = None, segment_ids: Tensor | None = None
    ) -> PrismOutput:
        return PrismOutput(self.table[tokens] + self.bias, tokens[:, -1], torch.zeros(()))

    def set_exploration(self, epsilon: float) -> None:
        self.epsilons.append(epsilon)

    def after_step(self, loads: Tensor | None) -> None:
        self.steps += 1


def job(**changes: Any) -> Job:
    """A job, valid for real tasks and models too."""
    values = {"task": "copy", "model": "prism", "seed": 0, "lr": 1e-3, "steps": 10}
    return Job(**{**values, "batch_size": 4, "evaluation": 8, **changes})


def run(
    job: Job, val: float = 0.5, test: float = 0.5, error: str | None = None, **changes: Any
) -> dict[str, Any]:
    """A finished run as it stands in results.json, without any training."""
    values = asdict(job) | {
        "metric": "accuracy",
        "chance": 0.1,
        "train_length": 16,
        "code": "0123456789ab",
        "parameters": 1000,
        "state_bytes": 64,
        "curve": [{"step": 10, "loss": 1.0, "val_loss": 1.0 - val, "val_metric": val}],
        "val": {"loss": 1.0 - val, "accuracy": val},
        "test": {"loss": 1.0 - test, "accuracy": test, "by_length": {"16": test, "32": test / 2}},
        "tokens_per_second": 1e4,
        "seconds": 1.5,
        "error": error,
    }
    if error is not None:
        values |= {"val": None, "test": None, "curve": []}
    return values | changes


def example() -> dict[str, Any]:
    """A record of routing: 2 layers, 4 tokens."""
    layer = {
        "kinds": ["neural", "memory"],
        "probability": [[0.25, 0.75]] * 4,
        "bus_gates": [0.5, 1.5],
        "tape_load": [0.0, 0.1, 0.2, 0.3],
    }
    bare = {**layer, "kinds": ["neural"], "probability": [[1.0]] * 4, "tape_load": None}
    return {
        "metric": "accuracy",
        "tokens": [1, 2, 3, 4],
        "targets": [-100, -100, 4, 1],
        "predictions": [0, 0, 4, 2],
        "half_lives": [0.25, 1024.0],
        "layers": [layer, bare],
    }


def execute_and_tell_signals(
    job: Job, device: str, on_progress: Callable[[int, float], None]
) -> tuple[dict[str, Any], None]:
    """A run that tells which signals its worker has blocked, and its number of threads."""
    blocked = [int(s) for s in signal.pthread_sigmask(signal.SIG_BLOCK, [])]
    return run(job, blocked=blocked, threads=torch.get_num_threads()), None


def execute_at_once(
    job: Job, device: str, on_progress: Callable[[int, float], None]
) -> tuple[dict[str, Any], None]:
    """Stands for training in a worker process: seed 1 raises, seed 2 dies, seed 3 takes long."""
    on_progress(job.steps, 0.5)
    if job.seed == 1:
        raise RuntimeError("seed 1 is unlucky")
    if job.seed == 2:
        raise SystemExit(7)
    if job.seed == 3:
        time.sleep(60)
    return run(job), None
