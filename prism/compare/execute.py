"""Carry out one job: build the model, train it, measure it, look inside if it is PRISM."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from prism.baselines import build
from prism.compare.example import record_example
from prism.compare.protocol import Job, toy_config
from prism.compare.training import TrainingPlan, train
from prism.record import code_fingerprint
from tasks import MiniLM, get_task

if TYPE_CHECKING:
    from tasks import Task


def open_task(name: str, corpus: str | None) -> Task:
    """The task of a job.

    Raises:
        ValueError: unknown task, or a corpus that cannot be read or is too small.
    """
    return get_task(name) if corpus is None else MiniLM(corpus=Path(corpus))


def execute(
    job: Job, device: str, on_progress: Callable[[int, float], None]
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Do ``job`` on ``device``.

    Returns:
        The run as it goes into results.json, and for a PRISM that was trained the record of
        what it does on an example, else None.
    """
    code = code_fingerprint()
    task = open_task(job.task, job.corpus)
    torch.manual_seed(job.seed)
    model = build(job.model, toy_config(task, job.seed)).to(device)
    plan = TrainingPlan(
        steps=job.steps,
        batch_size=job.batch_size,
        lr=job.lr,
        seed=job.seed,
        evaluation=job.evaluation,
    )
    result = train(model, task, plan, on_progress)
    run = {**dataclasses.asdict(job), "metric": task.metric, "chance": task.chance}
    run |= {"train_length": task.train_length, "code": code}
    run |= dataclasses.asdict(result)
    looks_inside = job.model == "prism" and result.error is None
    return run, record_example(model, task) if looks_inside else None
