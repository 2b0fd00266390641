"""A lock on the folder of a run: one training process at a time, whatever happens to it.

``run.lock`` is held with ``flock`` for as long as the process lives, and names it for people. The
system lets go of it at the end of the process, also at a ``kill -9``, so there is nothing to clear
up; the file stays. Reading a run (``prism.load``, ``--export``, the report) needs no lock.

The file also tells a folder of text from one of a run: data sources pass over what lies in it
(:mod:`prism.data.find`).
"""

from __future__ import annotations

import errno
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from prism.data.find import RUN_FILES, RUN_LOCK

try:
    import fcntl
except ImportError:  # no POSIX system: there is no lock that ends with its process
    fcntl = None  # type: ignore[assignment]

BEGUN = RUN_FILES[0]  # is there once a run has begun
CANNOT = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)  # file systems without locks


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """The folder ``run``, made if need be, for this process alone. A folder in which nothing was
    begun is left as it was.

    Raises:
        ValueError: another process trains into it; names that process.
        OSError: the folder cannot be made or written.
    """
    made = not run.exists()
    run.mkdir(parents=True, exist_ok=True)
    path = run / RUN_LOCK
    with _held(path) as file:
        owner = {"process": os.getpid(), "host": socket.gethostname()}
        file.truncate(0)
        file.write(json.dumps(owner | {"since": time.strftime("%Y-%m-%d %H:%M:%S")}) + "\n")
        file.flush()
        try:
            yield
        finally:
            if not (run / BEGUN).exists():
                path.unlink()
                if made and not any(run.iterdir()):
                    run.rmdir()


def _held(path: Path) -> IO[str]:
    """The file at ``path``, opened and locked."""
    while True:
        file = path.open("a+", encoding="utf-8")
        try:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file  # not one that its holder has just removed
        except BlockingIOError:
            file.close()
            raise ValueError(
                f"{path.parent}: {_holder(path)} trains into it; must be one at a time: wait for "
                "its end, or give another --out-dir"
            ) from None
        except OSError as error:
            if error.errno in CANNOT:
                return file
            file.close()
            raise
        file.close()


def _holder(path: Path) -> str:
    """Name of the process that holds the lock, as far as it has written it."""
    try:
        owner = json.loads(path.read_text("utf-8"))
        return f"process {owner['process']} on {owner['host']} (since {owner['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
