"""The training loop: batch, gradients, guard, optimizer, and now and then log, validate, save.

What a run trains on is a sum of :class:`Loss` terms; whoever records it is an :class:`Observer`.
Both are exact over any split into ranks and micro-batches, and over any resume.
"""

from prism.engine.loop.guard import DivergedError, Stop
from prism.engine.loop.loss import CrossEntropy, Loss, ModelPenalties, OwnAnswer, Rows
from prism.engine.loop.observer import Observer, ObserverError
from prism.engine.loop.step import Gradients
from prism.engine.loop.trainer import Trainer, TrainSpec

__all__ = [
    "CrossEntropy",
    "DivergedError",
    "Gradients",
    "Loss",
    "ModelPenalties",
    "Observer",
    "ObserverError",
    "OwnAnswer",
    "Rows",
    "Stop",
    "TrainSpec",
    "Trainer",
]
