"""Files that are the old one or the new one, never a part.

The content is written under another name beside the file, synced to the disk, renamed over it, and
the renaming is synced too. Whatever fails on the way leaves what was there. A link is followed: its
target is replaced, and the link stays. A file that nobody may write is not replaced. What a writer
that was killed has left beside the file is swept by the next one.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # a system without flock: nobody can tell a living writer, so nothing is swept
    fcntl = None  # type: ignore[assignment]

# errors whose text alone says what is wrong
PLAIN_ERRORS = (ValueError, OSError, KeyError, TypeError, ArithmeticError, ImportError)


def write(path: Path, content: bytes | str) -> None:
    """Replace ``path`` by ``content`` (text as UTF-8), with the permissions that it had; the folder
    is made if need be.

    Raises:
        OSError: the disk is full, or the file or its folder cannot be written; names the file.
    """
    raw = content.encode() if isinstance(content, str) else content
    with replacing(path, len(raw)) as beside:
        beside.write_bytes(raw)


def resolved(path: Path) -> Path:
    """The file that ``path`` names, links followed, whether it is there or not.

    Raises:
        OSError: a link that leads back to itself; names it.
    """
    try:
        return path.resolve()
    except RuntimeError as error:  # of pathlib before Python 3.13, with a traceback at its end
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from error


@contextmanager
def replacing(path: Path, size: int | None = None) -> Iterator[Path]:
    """An empty file to write inside, which replaces ``path`` at the end, see :func:`write`; for
    contents that a library writes by name.

    Args:
        size: bytes that will be written, to be named where the disk is full.

    Raises:
        OSError: the disk is full, or the file or its folder cannot be written; names the file.
    """
    given, path = path, resolved(path)
    if path.exists() and not (path.stat().st_mode & 0o222 and os.access(path, os.W_OK)):
        raise PermissionError(errno.EACCES, "is read-only", str(given))
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent, path.name)
    try:
        beside, handle = _draft(path)
    except OSError as error:
        error.filename = str(given)
        raise
    try:
        yield beside
        sync(beside)
        if path.exists():
            shutil.copymode(path, beside)
        beside.replace(path)
    except BaseException as error:
        beside.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _named(error, beside, given, size) from error
        raise
    finally:
        os.close(handle)
    sync(path.parent)


def _named(error: OSError, beside: Path, given: Path, size: int | None) -> OSError:
    """The error with the name of the file that its reader knows, not of the draft."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        needs = "" if size is None else f" ({size:,} bytes are needed)"
        return OSError(error.errno, f"{os.strerror(error.errno)}{needs}", str(given))
    if error.errno and (error.filename is None or str(error.filename) == str(beside)):
        error.filename = str(given)
    return error


def _draft(path: Path) -> tuple[Path, int]:
    """A new file beside ``path`` with the permissions of any new file, and an open handle that
    keeps it locked as long as its writer lives."""
    while True:
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        handle = os.open(beside, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0o666)
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return beside, handle
        os.close(handle)  # swept between its making and its lock


def sweep(folder: Path, name: str | None = None) -> None:
    """Remove what dead writers have left in a folder: the drafts of a file ``name``, or all."""
    if fcntl is None or not folder.is_dir():
        return
    draft = re.compile((r"\..+" if name is None else re.escape(f".{name}")) + r"\.[0-9a-f]{8}")
    for entry in os.scandir(folder):
        if not draft.fullmatch(entry.name) or not entry.is_file(follow_symlinks=False):
            continue
        try:
            handle = os.open(entry.path, os.O_RDONLY)
        except (FileNotFoundError, PermissionError):
            continue  # gone already, or somebody else's
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            Path(entry.path).unlink()
        except (BlockingIOError, FileNotFoundError, PermissionError):
            continue  # its writer is at work, or has just finished
        finally:
            os.close(handle)


def reason(error: BaseException) -> str:
    """One line for an error: file and cause of an OSError, the text of a bad value or key without
    its class, any other with its class."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    quoted_key = isinstance(error, KeyError) and error.args
    text = " ".join(str(error.args[0] if quoted_key else error).split())
    kind = type(error).__name__
    if not text:
        return kind
    return text if isinstance(error, PLAIN_ERRORS) else f"{kind}: {text}"


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
