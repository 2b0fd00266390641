"""Training of the film's models: a run that diverges ends the command."""

from __future__ import annotations

from prism.compare.training import RunResult, TrainingPlan, train
from prism.model.protocol import LanguageModel
from tasks import Task


def trained(name: str, model: LanguageModel, task: Task, plan: TrainingPlan) -> RunResult:
    """The result of training ``model`` in place.

    Raises:
        ArithmeticError: it diverged; gives ``name`` and why.
    """
    result = train(model, task, plan)
    if result.error is not None:
        raise ArithmeticError(f"{name} diverged: {result.error}")
    return result
