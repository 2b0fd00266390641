"""Destinations of a run's numbers: ``metrics.jsonl`` always, and, when asked for, Weights & Biases
or TensorBoard. The terminal has a file of its own. Only the first rank logs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

from prism import whole_file
from prism.engine.settings import Settings
from prism.whole_file import reason

FILE = "metrics.jsonl"


class Sink(Protocol):
    """Somewhere that takes numbers."""

    def write(self, record: dict[str, Any]) -> None:
        """One record; ``step`` is among its keys."""

    def close(self) -> None:
        """Nothing comes after this."""


class JsonLines:
    """``metrics.jsonl``: one JSON object per line. What a resumed run does again is cut off."""

    def __init__(self, run: Path, step: int) -> None:
        self.path = run / FILE
        kept = [r for r in read(run) if r["step"] <= step] if self.path.exists() else []
        whole_file.write(self.path, "".join(json.dumps(r) + "\n" for r in kept))
        self.file = self.path.open("a", encoding="utf-8")

    def write(self, record: dict[str, Any]) -> None:
        """Append a line; a reader sees it at once."""
        self.file.write(json.dumps(record) + "\n")
        self.file.flush()

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class WandB:
    """A Weights & Biases run; ``WANDB_MODE=offline`` needs no network. ``id`` continues one."""

    def __init__(self, run: Path, s: Settings, id: str | None) -> None:
        try:
            import wandb
        except ImportError:
            raise ValueError("--wandb: not installed; pip install 'prism-lm[wandb]'") from None
        try:
            self.run = wandb.init(
                project="prism", name=run.name, dir=str(run), config=s.to_dict(), id=id,
                resume="allow",
            )  # fmt: skip
        except Exception as error:  # of many kinds: no key, no network, no rights
            said = reason(error).rstrip(".")
            raise ValueError(f"--wandb: {said}; WANDB_MODE=offline needs no account") from error
        self.id = self.run.id

    def write(self, record: dict[str, Any]) -> None:
        """Log numbers under their names."""
        self.run.log(_numbers(record), step=record["step"])

    def close(self) -> None:
        """Finish the run."""
        self.run.finish()


class TensorBoard:
    """Event files in ``RUN/tensorboard``."""

    def __init__(self, run: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise ValueError(
                "--tensorboard: not installed; pip install 'prism-lm[tensorboard]'"
            ) from None
        self.writer = SummaryWriter(str(run / "tensorboard"))

    def write(self, record: dict[str, Any]) -> None:
        """Add scalars under their names."""
        for name, value in _numbers(record).items():
            self.writer.add_scalar(name, value, record["step"])

    def close(self) -> None:
        """Flush and close."""
        self.writer.close()


def read(run: Path) -> list[dict[str, Any]]:
    """The records of ``metrics.jsonl``; a last line that a kill cut short is left out.

    Raises:
        ValueError: the file is missing, or a line other than the last is not JSON.
    """
    path = run / FILE
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    lines = path.read_text("utf-8").splitlines()
    records = []
    for i, line in enumerate(lines):
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError as error:
            if i < len(lines) - 1:
                raise ValueError(f"{path}: line {i + 1} is not JSON ({error})") from error
    return records


def _numbers(record: dict[str, Any], prefix: str = "") -> dict[str, float]:
    """``{"loads": {"neural": 1}}`` to ``{"loads/neural": 1}``; texts are left out."""
    flat: dict[str, float] = {}
    for key, value in record.items():
        if isinstance(value, dict):
            flat |= _numbers(value, f"{prefix}{key}/")
        elif isinstance(value, int | float):
            flat[prefix + key] = value
    return flat
