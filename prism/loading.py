"""``prism.load``: a trained model from wherever it was put.

A folder that ``model.save`` wrote, a run of ``python -m prism.run_scale`` (its newest checkpoint),
one of its checkpoints, or the file that ``--export`` wrote.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import torch

from prism.model import checkpoint
from prism.model.protocol import LanguageModel


def load(path: str | Path, device: str | torch.device = "cpu") -> LanguageModel:
    """The model at ``path``, on ``device``.

    Raises:
        FileNotFoundError: there is nothing there.
        ValueError: what is there is not a whole model; names the file and what is wrong.
    """
    where = Path(path)
    of_a_run = (where / "COMPLETE").is_file() or any(where.glob("step-*/COMPLETE"))
    if not (of_a_run or where.is_file()):
        return checkpoint.load(where, device)
    # by name, and only here: a program that never loads a run needs no trainer
    export = importlib.import_module("prism.engine.store.export")
    read = export.load_export if where.is_file() else export.load_checkpoint
    model: LanguageModel = read(where)
    return model.to(device)
