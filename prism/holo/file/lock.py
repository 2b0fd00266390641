"""Lock of a tape's file: one writer at a time, across processes and threads.

A writer holds the lock from reading a tape to replacing its file, so that no change of another is
lost between. The lock is an advisory one (flock) on a small file beside the tape, which is gone
when nobody holds it; a process that dies gives it up. Readers need none, as files are replaced
whole.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prism.command import quoted, say
from prism.whole_file import resolved

try:
    import fcntl
except ImportError:  # a system without flock: threads are still kept apart
    fcntl = None  # type: ignore[assignment]

_THREADS: dict[Path, threading.RLock] = {}
_HELD: dict[Path, int] = {}  # how many times the thread that has the lock has taken it
_GUARD = threading.Lock()


def say_waiting(line: str) -> None:
    """Print the line of a writer that waits, on stderr."""
    say(line, "stderr")


@contextmanager
def locked(path: Path, waiting: Callable[[str], None] = say_waiting) -> Iterator[None]:
    """Hold the lock of the file at ``path``, which need not be there yet; the same thread may take
    it again.

    Args:
        waiting: called with one line if another writer has it; then its turn is waited for.

    Raises:
        FileNotFoundError: there is no such folder.
        OSError: a link that leads back to itself.
        PermissionError: the folder cannot be written.
    """
    path = resolved(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {path.parent}")
    with _GUARD:
        mine = _THREADS.setdefault(path, threading.RLock())
    with mine:
        if _HELD.get(path):
            _HELD[path] += 1
            try:
                yield
            finally:
                _HELD[path] -= 1
            return
        beside = path.with_name(f".{path.name}.lock")
        handle = _acquire(
            beside, lambda: waiting(f"{quoted(str(path))}: another is writing it; waiting")
        )
        _HELD[path] = 1
        try:
            yield
        finally:
            _HELD[path] = 0
            beside.unlink(missing_ok=True)  # while it is still held, so nobody else has this file
            os.close(handle)


def _acquire(beside: Path, waiting: Callable[[], None]) -> int:
    """An open file that has the lock and lies at ``beside``."""
    said = False
    while True:
        handle = os.open(beside, os.O_RDWR | os.O_CREAT, 0o666)
        if fcntl is None:
            return handle
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not said:
                    waiting()
                said = True
                fcntl.flock(handle, fcntl.LOCK_EX)
            if _is_at(handle, beside):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # its holder has removed it: another file has the name now


def _is_at(handle: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    own = os.fstat(handle)
    return (own.st_dev, own.st_ino) == (there.st_dev, there.st_ino)
