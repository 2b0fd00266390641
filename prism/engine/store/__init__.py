"""Checkpoints on disk: complete-or-absent folders, sharded tensors, random states, export.

A checkpoint is read back by any number of ranks, or by one process without a group.
"""

from prism.engine.store.checkpoint import Saver, load_tensors, read_run, read_tensors
from prism.engine.store.export import load_checkpoint, load_export, load_trained
from prism.engine.store.folder import newest

__all__ = [
    "Saver",
    "load_checkpoint",
    "load_export",
    "load_tensors",
    "load_trained",
    "newest",
    "read_run",
    "read_tensors",
]
