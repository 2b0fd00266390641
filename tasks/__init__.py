"""The tasks that models are compared on, one module each.

``TASKS`` lists them by name, ``SUITES`` groups them: ``core`` is the comparison of the README,
``mad`` the five of Mechanistic Architecture Design (arXiv 2403.17844), ``states`` state tracking,
``recall`` associative recall at three sizes.
"""

from __future__ import annotations

from tasks.compression import Compression
from tasks.copy import Copy
from tasks.fuzzy_recall import FuzzyRecall
from tasks.induction import Induction
from tasks.memorize import Memorize
from tasks.mini_lm import MiniLM
from tasks.modular import Modular
from tasks.mqar import MQAR
from tasks.noisy_recall import NoisyRecall
from tasks.parity import Parity
from tasks.reasoning import Reasoning
from tasks.selective_copy import SelectiveCopy
from tasks.task import IGNORE, SPLITS, Batch, Task
from tasks.word_problem import WordProblem

__all__ = ["IGNORE", "SPLITS", "SUITES", "TASKS", "Batch", "MiniLM", "Task", "get_task"]

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Copy(),
        Induction(),
        MQAR(),
        Reasoning(),
        Parity(),
        Modular(),
        MiniLM(),
        FuzzyRecall(),
        NoisyRecall(),
        SelectiveCopy(),
        Compression(),
        Memorize(),
        WordProblem(3),
        WordProblem(5),
        MQAR("mqar64", pairs=64, keys=255, train_length=256),
        MQAR("mqar128", pairs=128, keys=255, train_length=512),
    )
}

SUITES: dict[str, tuple[str, ...]] = {
    "core": ("copy", "induction", "mqar", "reasoning", "parity", "modular", "mini_lm"),
    "mad": ("fuzzy_recall", "noisy_recall", "selective_copy", "compression", "memorize"),
    "states": ("parity", "modular", "s3", "s5"),
    "recall": ("mqar", "mqar64", "mqar128"),
    "all": tuple(TASKS),
}


def get_task(name: str) -> Task:
    """The task called ``name``.

    Raises:
        ValueError: there is no such task.
    """
    if name not in TASKS:
        raise ValueError(f"task {name!r}: must be one of {', '.join(TASKS)}")
    return TASKS[name]
