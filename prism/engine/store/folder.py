"""Checkpoint folders that are either whole or not there.

    step-00000020.tmp/     being written
    step-00000020/         fsynced, marked COMPLETE, then renamed

The mark lists every file with its size and the BLAKE2b hash of its contents. Whatever moment a
process is killed at, a folder with its final name is whole, and an older one is removed only after
a newer one has its name. What is damaged later shows at the next read: the newest folder whose
contents are those of its mark counts. A folder that a run does not go on from is never removed but
set aside as ``step-00000020.damaged``, and so is anything else that took a checkpoint's name.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

from prism.record import write_json
from prism.whole_file import sweep, sync

MARK = "COMPLETE"
PATTERN = re.compile(r"step-(\d{8})")
LEFT = re.compile(r"step-\d{8}\.(tmp|old)|growing\.tmp|starting\.tmp")  # by a killed process
HASH_BYTES = 16
READERS = 8  # files that are hashed at a time

Say = Callable[[str], None]


def final_name(run: Path, step: int) -> Path:
    """Folder of the checkpoint after ``step`` steps."""
    return run / f"step-{step:08d}"


def begin(run: Path, step: int) -> Path:
    """An empty folder to write into; what a killed save left under its name goes."""
    folder = run / (final_name(run, step).name + ".tmp")
    if _stray(folder):
        _set_aside(folder)
    elif folder.exists():
        _clear(folder)
    folder.mkdir(parents=True)
    return folder


def commit(temporary: Path) -> Path:
    """Make ``temporary`` durable and give it its name; what had that name before is replaced."""
    files = sorted(p for p in temporary.rglob("*") if p.is_file())
    for path in files:
        sync(path)
    for path in temporary.rglob("*"):
        if path.is_dir():
            sync(path)
    names = [str(path.relative_to(temporary)) for path in files]
    write_json(temporary / MARK, dict(zip(names, _contents(files), strict=True)))
    sync(temporary)
    final = temporary.with_suffix("")
    if _stray(final):
        _set_aside(final)
    if final.exists():
        _remove(final, then=lambda: temporary.rename(final))
    else:
        temporary.rename(final)
    sync(final.parent)
    return final


def complete(run: Path) -> list[Path]:
    """The marked checkpoints of a run, oldest first."""
    return [path for path in _folders(run) if (path / MARK).is_file()]


def _folders(run: Path) -> list[Path]:
    if not run.is_dir():
        return []
    return sorted(p for p in run.iterdir() if PATTERN.fullmatch(p.name) and p.is_dir())


def newest(run: Path, say: Say | None = None, tensors: bool = True) -> Path:
    """The last checkpoint whose contents are those that were saved.

    Args:
        say: takes one line if a newer one is damaged.
        tensors: read those too; False looks at the JSON files and the sizes alone, for a first
            glance at the settings.

    Raises:
        ValueError: there is none; names the damage of the newest.
    """
    marked = complete(run)
    last = marked[-1].name if marked else ""
    damage = [f"{path} is damaged: it has no {MARK}" for path in _folders(run) if path.name > last]
    for folder in reversed(marked):
        try:
            verify(folder, tensors)
        except ValueError as error:
            damage.append(str(error))
            continue
        if damage and say is not None:
            say(f"{damage[0]}; going back to {folder.name}")
        return folder
    if marked:
        older = f", and so are the {len(damage) - 1} before it" if len(damage) > 1 else ""
        raise ValueError(f"{damage[0]}{older}: {run} holds no whole checkpoint to go on from")
    raise ValueError(f"{run}: holds no complete checkpoint (step-NNNNNNNN/{MARK})")


def verify(folder: Path, tensors: bool = True) -> None:
    """Nothing if the files are those that were saved.

    A mark of an older version has sizes alone, which is then what is compared.

    Args:
        tensors: False leaves out the hashes of files that are no JSON.

    Raises:
        ValueError: a file is missing, is too many, or has other contents; the checkpoint is named
            as damaged.
    """
    try:
        mark = read_json(folder / MARK)
    except ValueError as error:
        said = str(error).removeprefix(f"{folder / MARK}: ")
        raise ValueError(f"{folder} is damaged: {MARK}: {said}") from error
    if not isinstance(mark, dict) or not mark:
        raise ValueError(f"{folder} is damaged: {MARK} lists no file")
    hashed: list[tuple[Path, str]] = []
    for name, saved in mark.items():
        path = folder / name
        size, digest = saved if isinstance(saved, list) and len(saved) == 2 else (saved, None)
        there = path.stat().st_size if path.is_file() else None
        if there is None:
            raise ValueError(f"{folder} is damaged: {name} is missing")
        if there != size:
            raise ValueError(f"{folder} is damaged: {name} has {there} bytes, {size} were saved")
        if digest is not None and (tensors or path.suffix == ".json"):
            hashed.append((path, digest))
    for path in folder.rglob("*.*"):
        if path.suffix in (".json", ".safetensors") and str(path.relative_to(folder)) not in mark:
            raise ValueError(f"{folder} is damaged: {path.name} was not saved with it")
    found = _contents([path for path, _ in hashed])
    for (path, digest), (_, now) in zip(hashed, found, strict=True):
        if now != digest:
            raise ValueError(f"{folder} is damaged: the contents of {path.name} have changed")


def saved_bytes(folder: Path) -> int:
    """Bytes of all files of a checkpoint."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def prune(run: Path, keep: int) -> None:
    """Remove all but the ``keep`` newest marked checkpoints."""
    for folder in complete(run)[:-keep]:
        _remove(folder)


def tidy(run: Path, start: Path | None) -> None:
    """Clear the folder of a run that goes on from ``start``: remove what killed processes left,
    and set aside every folder of a later step and what else took a checkpoint's name. Nobody else
    may be writing there."""
    for path in list(run.iterdir()):
        ours = PATTERN.fullmatch(path.name)
        later = ours and start is not None and path.name > start.name
        if later or (_stray(path) and (ours or LEFT.fullmatch(path.name))):
            _set_aside(path)
        elif LEFT.fullmatch(path.name):
            _clear(path)
    sweep(run)


def _stray(path: Path) -> bool:
    """True for what is there and is no folder."""
    return not path.is_dir() and (path.exists() or path.is_symlink())


def _set_aside(path: Path) -> None:
    """Give ``path`` a name of its own that no checkpoint has; nothing is overwritten."""
    names = (f"{path.name}.damaged" + f"-{i}" * (i > 1) for i in count(1))
    free = (path.with_name(name) for name in names)
    path.rename(next(p for p in free if not (p.exists() or p.is_symlink())))


def _clear(folder: Path) -> None:
    """Remove a folder, or the link to one, whose target stays."""
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder)


def _remove(folder: Path, then: Callable[[], object] = lambda: None) -> None:
    """Remove ``folder`` in one instant, do ``then``, and clear up afterwards."""
    old = folder.with_name(f"{folder.name}.old")
    if _stray(old):
        _set_aside(old)
    elif old.exists():
        _clear(old)
    folder.rename(old)
    then()
    _clear(old)


def _contents(files: list[Path]) -> list[list[Any]]:
    """Size and hash of every file."""
    with ThreadPoolExecutor(READERS) as readers:
        return list(readers.map(_content, files))


def _content(path: Path) -> list[Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=HASH_BYTES))
        return [file.tell(), digest.hexdigest()]


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        ValueError: there is no such file, or it is not JSON.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:  # not UTF-8, too
        raise ValueError(f"{path}: not JSON ({error})") from error
