"""Fingerprints of the contents of files, and the file that has changed since a run began.

    fingerprint(source) = BLAKE2b( for every file in order: ending, size, digest of its contents )

so it depends on neither the place nor the name of a file. The digest is that of all bytes where the
files of a source have at most ``WHOLE`` bytes together; in a larger source a file of more than
``BLOCKS * BLOCK`` bytes is read at ``BLOCKS`` places only, evenly spread from its first byte to its
last: an edit elsewhere that keeps the size is not noticed there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

WHOLE = 256 * 1024 * 1024  # bytes of a source that are read for its fingerprint
BLOCKS, BLOCK = 64, 64 * 1024
READ = 1024 * 1024


def digests(paths: Sequence[Path]) -> list[tuple[int, str]]:
    """Size and digest of the contents of every file of a source.

    Raises:
        OSError: one cannot be read.
    """
    stats = [path.stat() for path in paths]
    sampled = sum(stat.st_size for stat in stats) > WHOLE
    return [
        (stat.st_size, _digest(str(path.resolve()), stat.st_size, stat.st_mtime_ns, sampled))
        for path, stat in zip(paths, stats, strict=True)
    ]


@cache
def _digest(path: str, size: int, changed: int, sampled: bool) -> str:
    """Digest of the contents of a file as it was when it was ``changed`` last."""
    digest = hashlib.blake2b(digest_size=16)
    with Path(path).open("rb") as file:
        if sampled and size > BLOCKS * BLOCK:
            for i in range(BLOCKS):
                file.seek((size - BLOCK) * i // (BLOCKS - 1))
                digest.update(file.read(BLOCK))
        else:
            while block := file.read(READ):
                digest.update(block)
    return digest.hexdigest()


Listing = Mapping[str, Any]  # name and fingerprint of a source, its files, what was skipped


def difference(before: Sequence[Listing], now: Sequence[Listing]) -> str:
    """The first thing that differs between two listings of the sources of a mix, in words; empty
    if nothing does."""
    if len(before) != len(now):
        return f"there were {len(before)} sources, there are {len(now)}"
    for old, new in zip(before, now, strict=True):
        if old["fingerprint"] != new["fingerprint"]:
            return f"source {new['name']}: {_changed(old['files'], new['files'])}"
        if old["weight"] != new["weight"]:
            return f"source {new['name']}: its weight was {old['weight']}, is {new['weight']}"
    return ""


def _changed(old: Sequence[Sequence[Any]], new: Sequence[Sequence[Any]]) -> str:
    """First difference between two lists of files, each a path, a size and a digest, in words."""
    then, now = ({tuple(x[1:]) for x in files} for files in (old, new))
    for (was, *contents), (path, *there) in zip(old, new, strict=False):
        if contents == there:
            continue
        kept, known = tuple(contents) in now, tuple(there) in then
        if kept and known:
            moved = next(name for name, *rest in new if rest == contents)
            return f"the files are in another order, {was} is {moved} now"
        if kept:
            return f"{path} is new"
        if known:
            return f"{was} is gone"
        return f"{path} has changed ({contents[0]:,} bytes then, {there[0]:,} now)"
    if len(new) > len(old):
        return f"{new[len(old)][0]} is new"
    if len(old) > len(new):
        return f"{old[len(new)][0]} is gone"
    return "is read in another way"
