"""Files that are the old one or the new one, never a part.

The content is written under another name beside the file, synced to the disk, renamed over it, and
the renaming is synced too. Whatever fails on the way leaves what was there. A process that is
killed leaves its draft, ``.NAME.1a2b3c4d``; :func:`sweep` removes those.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DRAFT = re.compile(r"\..+\.[0-9a-f]{8}")


def write(path: Path, content: bytes | str) -> None:
    """Replace ``path`` by ``content`` (text as UTF-8), with the permissions that it had; the folder
    is made if need be.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    with replacing(path) as beside:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """An empty file to write inside, which replaces ``path`` at the end, see :func:`write`; for
    contents that a library writes by name.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        beside.touch(exist_ok=False)  # with the permissions of any new file
        yield beside
        sync(beside)
        if path.exists():
            shutil.copymode(path, beside)
        beside.replace(path)
    except BaseException as error:
        beside.unlink(missing_ok=True)
        mine = (None, str(beside))
        if isinstance(error, OSError) and error.errno and _text(error.filename) in mine:
            error.filename = str(path)  # the name that its reader knows
        raise
    sync(path.parent)


def _text(name: object) -> str | None:
    """Name of a file in an error, which may be a path or nothing."""
    return None if name is None else str(name)


def sweep(folder: Path) -> None:
    """Remove the drafts in ``folder`` that killed processes left; nobody may be writing there."""
    for path in folder.iterdir():
        if DRAFT.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def cause(error: BaseException) -> str:
    """One line for an error: of an OSError its file and the system's words, else its text."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    text = " ".join(str(error).split())
    return text if isinstance(error, ValueError | OSError) else f"{type(error).__name__}: {text}"


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk; where the system lets a folder
    be opened."""
    if path.is_dir() and os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
