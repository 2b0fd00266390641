"""Where and with what a comparison was made: versions, machine, commit, command."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

import prism

ROOT = Path(__file__).resolve().parents[2]
RESULT_CODE = (
    "prism/config.py",
    "prism/ops",
    "prism/model",
    "prism/baselines",
    "prism/compare/evaluation.py",
    "prism/compare/protocol.py",
    "prism/compare/training.py",
    "tasks",
)


def describe(
    command: str, device: str, workers: int, profile: str, started: str | None = None
) -> dict[str, Any]:
    """The ``meta`` of results.json, as far as it is known at the start.

    Args:
        started: when the comparison that is being resumed was started; None = now.
    """
    return {
        "prism": prism.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "platform": platform.platform(),
        "cpus": cpu_count(),
        "commit": commit(),
        "code": code_fingerprint(),
        "command": command,
        "profile": profile,
        "device": device_name(device),
        "workers": workers,
        "threads_per_worker": 1,
        "started": started or now(),
        "finished": None,
    }


def now() -> str:
    """The time, to the second, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def cpu_count() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def device_name(device: str) -> str:
    """``"cpu"``, or ``"cuda"`` with the name of the GPU."""
    if device != "cuda":
        return device
    return f"cuda ({torch.cuda.get_device_name()})"


def commit() -> str | None:
    """Commit that the code is at, ``-dirty`` when files differ from it; None outside git."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None  # not a checkout, no commit yet, or no git: a wheel is run without one
    return found.stdout.strip()


@cache
def code_fingerprint() -> str:
    """Hash of the source that can change a result: tells runs of different code apart.

    It is taken once per process, because that is when the code is loaded.
    """
    digest = hashlib.sha256()
    for place in RESULT_CODE:
        where = ROOT / place
        for path in [where] if where.is_file() else sorted(where.rglob("*.py")):
            digest.update(path.relative_to(ROOT).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
