"""Checkpoint folders that are either whole or not there.

    step-00000020.tmp/     being written
    step-00000020/         fsynced, marked COMPLETE, then renamed

The mark lists every file with its size. Whatever moment a process is killed at, the folders without
``.tmp`` are whole, and an older one is removed only after a newer one has its name.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from prism.record import write_json
from prism.whole_file import sync

MARK = "COMPLETE"
PATTERN = re.compile(r"step-(\d{8})")


def final_name(run: Path, step: int) -> Path:
    """Folder of the checkpoint after ``step`` steps."""
    return run / f"step-{step:08d}"


def begin(run: Path, step: int) -> Path:
    """An empty folder to write into; what a killed save left under its name goes."""
    folder = run / (final_name(run, step).name + ".tmp")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def commit(temporary: Path) -> Path:
    """Make ``temporary`` durable and give it its name."""
    files = sorted(p for p in temporary.rglob("*") if p.is_file())
    sizes = {str(p.relative_to(temporary)): p.stat().st_size for p in files}
    for path in files:
        sync(path)
    for path in temporary.rglob("*"):
        if path.is_dir():
            sync(path)
    write_json(temporary / MARK, sizes)
    sync(temporary)
    final = temporary.with_suffix("")
    temporary.rename(final)
    sync(final.parent)
    return final


def complete(run: Path) -> list[Path]:
    """The whole checkpoints of a run, oldest first."""
    if not run.is_dir():
        return []
    names = sorted(p.name for p in run.iterdir() if PATTERN.fullmatch(p.name))
    return [run / name for name in names if (run / name / MARK).is_file()]


def newest(run: Path) -> Path:
    """The last whole checkpoint.

    Raises:
        ValueError: there is none, or its files are not those of its mark.
    """
    whole = complete(run)
    if not whole:
        raise ValueError(f"{run}: holds no complete checkpoint (step-NNNNNNNN/{MARK})")
    verify(whole[-1])
    return whole[-1]


def verify(folder: Path) -> None:
    """Raises ValueError when a file is missing or has another size than when it was saved."""
    for name, size in read_json(folder / MARK).items():
        path = folder / name
        there = path.stat().st_size if path.is_file() else None
        if there != size:
            raise ValueError(f"{path}: {there} bytes, {size} were saved; remove {folder}")


def prune(run: Path, keep: int) -> None:
    """Remove all but the ``keep`` newest whole checkpoints."""
    for folder in complete(run)[:-keep]:
        (folder / MARK).unlink()  # from here on it does not count
        shutil.rmtree(folder)


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        ValueError: there is no such file, or it is not JSON.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    try:
        return json.loads(path.read_text("utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON ({error})") from error
