"""The tasks that models are compared on, one module each; ``TASKS`` lists them by name."""

from __future__ import annotations

from tasks.copy import Copy
from tasks.induction import Induction
from tasks.mini_lm import MiniLM
from tasks.modular import Modular
from tasks.mqar import MQAR
from tasks.parity import Parity
from tasks.reasoning import Reasoning
from tasks.task import IGNORE, SPLITS, Batch, Task

__all__ = ["IGNORE", "SPLITS", "TASKS", "Batch", "MiniLM", "Task", "get_task"]

TASKS: dict[str, Task] = {
    task.name: task
    for task in (Copy(), Induction(), MQAR(), Reasoning(), Parity(), Modular(), MiniLM())
}


def get_task(name: str) -> Task:
    """The task called ``name``.

    Raises:
        ValueError: there is no such task.
    """
    if name not in TASKS:
        raise ValueError(f"task {name!r}: must be one of {', '.join(TASKS)}")
    return TASKS[name]
