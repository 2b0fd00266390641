"""What the commands of this folder share: plain errors, and where a measurement was made."""

from __future__ import annotations

import os
import platform
import shlex
from pathlib import Path
from typing import Any

import torch

from prism import record
from prism.record import describe, now

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"


def at_least(low: int, flag: str, value: int | None) -> None:
    """Raises ValueError if ``value`` was given and is less than ``low``."""
    if value is not None and value < low:
        raise ValueError(f"{flag} {value}: must be >= {low}")


def provenance(program: str, argv: list[str], profile: str) -> dict[str, Any]:
    """The ``meta`` of a benchmark file: versions, machine, commit, command, threads, and how busy
    the machine was at the start."""
    command = shlex.join(["python", "-m", program, *argv])
    meta = describe(command, profile)
    busy = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    return meta | {"threads": torch.get_num_threads(), "cpu": _cpu_name(), "load_average": busy}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a benchmark file, noting the time of the end in its ``meta``."""
    content["meta"]["finished"] = now()
    record.write_json(path, content)


def _cpu_name() -> str:
    """Model of the processor where the system tells it, else its architecture."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
