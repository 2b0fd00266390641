"""Records of measurements: provenance, hashes of code and weights, and the resumable results file.

Every number that the project reports comes from a JSON file whose ``meta`` says where, when, with
which versions and by which command it was measured. A results file is replaced whole after each
run, so an interrupted measurement continues where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from prism import whole_file

VERSION = "0.1.0"
ARCHITECTURE = (
    4  # one more whenever PRISM's equations change; a ``meta`` without it is of the first
)
ROOT = Path(__file__).resolve().parents[1]
RESULT_CODE = (
    "prism/config",
    "prism/ops",
    "prism/model",
    "prism/baselines",
    "prism/recipe.py",
    "prism/compare/protocol.py",
    "prism/compare/training.py",
    "tasks",
)

Run = dict[str, Any]


def describe(
    command: str, profile: str, device: str = "cpu", workers: int = 1, **more: Any
) -> dict[str, Any]:
    """The ``meta`` of a results file: versions, machine, commit, code, command and time of start.

    Args:
        command: as the user types it.
        profile: size of the measurement, such as "quick" or "full".
        device: "cpu" or "cuda"; the name of the GPU is added.
        workers: processes at once.
        more: further entries.
    """
    gpu = f" ({torch.cuda.get_device_name()})" if device == "cuda" else ""
    return {
        "prism": VERSION,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "platform": platform.platform(),
        "cpus": cpu_count(),
        "commit": commit(),
        "code": code_fingerprint(),
        "architecture": ARCHITECTURE,
        "command": command,
        "profile": profile,
        "device": device + gpu,
        "workers": workers,
        **more,
        "started": now(),
        "finished": None,
    }


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def cpu_count() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def commit() -> str | None:
    """Git commit of the code, ``-dirty`` if files differ from it; None outside a checkout."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None  # not a checkout, no commit yet, or no git: a wheel is run without one
    return done.stdout.strip()


@cache
def code_fingerprint(places: Sequence[str] = RESULT_CODE) -> str:
    """SHA-256 of source files, 12 hex digits: tells runs of different code apart.

    Taken once per process, because that is when the code is loaded.

    Args:
        places: files and folders relative to the repository; a tuple.
    """
    digest = hashlib.sha256()
    for place in places:
        where = ROOT / place
        for path in [where] if where.is_file() else sorted(where.rglob("*.py")):
            digest.update(path.relative_to(ROOT).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def weights_hash(
    tensors: Mapping[str, Tensor], digest: hashlib._Hash | None = None, shapes: bool = False
) -> str:
    """Hash of named tensors as hex digits: equal for equal weights.

    The digest reads, in the order of names, each name and the raw bytes of its tensor. Files hold
    three variants that must stay as they are: SHA-256 (``parameters`` of a facts file), SHA-256
    over a prefix with ``shapes`` (backbones of models trained apart), BLAKE2b (the reference of a
    run with token selection, names of calibration files).

    Args:
        digest: hash object to continue, with whatever it has read; None = a new SHA-256.
        shapes: read ``"name shape dtype"`` in place of the name.
    """
    digest = hashlib.sha256() if digest is None else digest
    for name, value in sorted(tensors.items()):
        label = f"{name} {tuple(value.shape)} {value.dtype}" if shapes else name
        digest.update(label.encode())
        flat = value.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy())
    return digest.hexdigest()


def write_json(path: Path, content: Any) -> None:
    """Replace ``path`` in one step.

    Raises:
        ValueError: a number is not finite.
    """
    whole_file.write(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


class ResultsFile:
    """Runs in a JSON file, written whole after each one and never repeated.

    ``{"meta": {...}, "runs": [...]}``; a file of several parts holds one such object per part,
    ``{"growth": {"meta": {...}, "sizes": {...}, "runs": [...]}, ...}``. A run is a JSON object; its
    key is a mapping of some of its fields.

    Args:
        path: of the file, which may not exist yet.
        meta: provenance of this start, see :func:`describe`; the times of an earlier start are
            kept. None = as in the file.
        settings: whatever the runs depend on beside their keys. Kept as ``meta["settings"]``, in a
            part as ``sizes``.
        part: of a file of several parts.
        fields: that every run has.

    Raises:
        ValueError: the file is not a results file, or its runs depend on other settings.
    """

    def __init__(
        self,
        path: Path,
        meta: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        part: str | None = None,
        fields: Sequence[str] = (),
    ) -> None:
        self.path, self.part = path, part
        self._content = read_runs(path, part is not None, fields) if path.exists() else {}
        mine = self._content if part is None else self._content.get(part, {})
        self.meta: dict[str, Any] = mine.get("meta", {})
        before = self.meta
        if meta is not None:
            self.resume(meta)
        self.runs: list[Run] = mine.get("runs", [])
        self._sizes = {}
        if settings is not None:
            kept = before.get("settings", {}) if part is None else mine.get("sizes", {})
            if mine:
                self._check(kept, json.loads(json.dumps(settings)))
            if part is None:
                self.meta["settings"] = dict(settings)
            else:
                self._sizes = {"sizes": dict(settings)}

    def resume(self, meta: Mapping[str, Any]) -> None:
        """Replace the provenance; the times of an earlier start are kept."""
        times = {name: self.meta[name] for name in ("started", "finished") if self.meta.get(name)}
        self.meta = {**meta, **times}

    def find(self, key: Mapping[str, Any]) -> Run | None:
        """The first run whose fields have the values of ``key``."""
        return next((r for r in self.runs if all(r.get(k) == v for k, v in key.items())), None)

    def add(self, run: Run) -> None:
        """Keep a run and write the file."""
        self.runs.append(run)
        self.meta["finished"] = now()
        self.write()

    def once(self, key: Mapping[str, Any], run: Callable[[], Run]) -> Run:
        """The run of ``key``: as it is in the file, else ``{**key, **run()}``, which is added."""
        known = self.find(key)
        if known is None:
            known = {**key, **run()}
            self.add(known)
        return known

    def write(self) -> None:
        """Write the file."""
        mine = {**self._sizes, "meta": self.meta, "runs": self.runs}
        write_json(self.path, mine if self.part is None else {**self._content, self.part: mine})

    def _check(self, kept: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        for name in {**wanted, **kept}:
            if kept.get(name) != wanted.get(name):
                of = "" if self.part is None else f" of {self.part}"
                raise ValueError(
                    f"{self.path}: holds runs{of} with {name} = {kept.get(name)}, now "
                    f"{wanted.get(name)}: must be the same to continue; give another --out"
                )


def read_runs(path: Path, parts: bool = False, fields: Sequence[str] = ()) -> dict[str, Any]:
    """The content of a results file.

    Args:
        parts: it is one of several parts.
        fields: that every run must have.

    Raises:
        ValueError: it is not a results file.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        for mine in content.values() if parts else (content,):
            dict(mine["meta"].get("settings", {}))
            for run in mine["runs"]:
                _ = [run[name] for name in fields]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: not a results file ({error!r}); must be one") from error
    return content
