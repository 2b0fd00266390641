"""Files that are the old one or the new one, never a part.

The content is written under another name beside the file, synced to the disk, renamed over it, and
the renaming is synced too. Whatever fails on the way leaves what was there.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync(path.parent)


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
