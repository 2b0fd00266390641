"""Room on the disk for checkpoints: looked at before training and before every save.

While a checkpoint is written, one whole one must stay. So at the most two are needed at a time,
whatever ``--keep`` asks for: where the disk is too small for more, older ones go first.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from prism.engine.store import folder
from prism.whole_file import reason

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
BESIDE = 32 * 1024  # bytes of the JSON files of a checkpoint, at least


def size_of(tensors: Mapping[str, Tensor]) -> int:
    """Bytes of a checkpoint of ``tensors``, each in full size, with its JSON files."""
    return BESIDE + sum(x.numel() * x.element_size() for x in tensors.values())


def check(run: Path, need: int, saves: int) -> None:
    """Nothing if ``saves`` checkpoints of ``need`` bytes find room in turn, older ones being
    removed for them.

    Raises:
        ValueError: they do not; names both numbers of bytes.
    """
    there = [folder.saved_bytes(one) for one in folder.complete(run)]
    free = _free(run)
    short = need if there or saves < 2 else 2 * need
    if short > free + sum(there[:-1]):
        raise ValueError(f"{_full(run)}: {_needs(short, free)}")


def make(run: Path, keep: int, need: int) -> None:
    """Remove checkpoints beyond the ``keep`` newest, and where ``need`` bytes are not free more of
    the oldest, but never the newest.

    Raises:
        ValueError: that is not enough; names both numbers of bytes.
    """
    folder.prune(run, keep)
    while (free := _free(run)) < need:
        kept = len(folder.complete(run))
        if kept <= 1:
            raise ValueError(f"{_full(run)}: {_needs(need, free)}; {_whole(run)}")
        folder.prune(run, kept - 1)


def failed(run: Path, need: int, error: BaseException) -> ValueError:
    """One line for an error in writing a checkpoint."""
    root = _root(error)
    if isinstance(root, OSError) and root.errno in FULL:
        free = _free(run)
        limit = ", a file may not be larger here" if root.errno == errno.EFBIG else ""
        return ValueError(f"{_full(run)}: {_needs(need, free)}{limit}; {_whole(run)}")
    return ValueError(f"{run}: a checkpoint could not be written ({reason(root)}); {_whole(run)}")


def _root(error: BaseException) -> BaseException:
    """The error at the root: of the rank that failed, and the system's where there is one."""
    failures = getattr(error, "failures", None)
    if failures:
        error = next(iter(failures.values()))[0]
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return error


def _free(run: Path) -> int:
    """Bytes that are free where ``run`` is or will be."""
    there = next(p for p in (run, *run.absolute().parents) if p.exists())
    return shutil.disk_usage(there).free


def _full(run: Path) -> str:
    return f"{run}: the disk is full"


def _needs(need: int, free: int) -> str:
    return f"saving needs {need:,} bytes, {free:,} are free"


def _whole(run: Path) -> str:
    whole = folder.complete(run)
    return f"{whole[-1].name} is whole" if whole else "nothing is saved yet"
