"""Room for checkpoints: older ones go first, never the last; what is missing is told in bytes."""

from __future__ import annotations

import errno
import re
from collections import namedtuple
from pathlib import Path

import pytest

from prism.engine.store import folder, room
from tests.engine.fakes import fit, small, small_trainer

Usage = namedtuple("Usage", "total used free")
SIZE = 1000


def saved(run: Path, *steps: int) -> list[Path]:
    """Checkpoints of about ``SIZE`` bytes."""
    for step in steps:
        temporary = folder.begin(run, step)
        (temporary / "data").write_bytes(bytes(SIZE))
        folder.commit(temporary)
    return folder.complete(run)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on a disk of 3,500 bytes."""

    def usage(path: Path) -> Usage:
        used = sum(p.stat().st_size for p in tmp_path.rglob("data"))
        return Usage(3500, used, 3500 - used)

    monkeypatch.setattr("shutil.disk_usage", usage)
    return tmp_path


def test_as_many_are_kept_as_asked_for_where_there_is_room(disk: Path) -> None:
    saved(disk, 1, 2, 3)
    room.make(disk, keep=2, need=SIZE)
    assert [p.name[-1] for p in folder.complete(disk)] == ["2", "3"]


def test_where_there_is_none_the_oldest_go_but_never_the_newest(disk: Path) -> None:
    saved(disk, 1, 2, 3)
    room.make(disk, keep=5, need=2 * SIZE)
    assert [p.name[-1] for p in folder.complete(disk)] == ["3"]
    with pytest.raises(ValueError, match=re.escape("saving needs 4,000 bytes, 2,500 are free; "
                                                   "step-00000003 is whole")):  # fmt: skip
        room.make(disk, keep=5, need=4 * SIZE)
    assert [p.name[-1] for p in folder.complete(disk)] == ["3"]


@pytest.mark.parametrize(
    ("steps", "need", "saves", "fits"),
    [((), 1700, 9, True), ((), 1800, 9, False), ((), 3400, 1, True), ((1, 2, 3), 2400, 9, True),
     ((1, 2, 3), 2900, 9, False)],
)  # fmt: skip
def test_before_training_one_whole_and_one_more_must_fit(
    disk: Path, steps: tuple[int, ...], need: int, saves: int, fits: bool
) -> None:
    saved(disk, *steps)
    if fits:
        room.check(disk, need, saves)
    else:
        with pytest.raises(ValueError, match=r"the disk is full: saving needs [\d,]+ bytes"):
            room.check(disk, need, saves)


def test_the_size_is_about_that_of_the_files(tmp_path: Path) -> None:
    with small_trainer(small(steps=2), tmp_path) as t:
        guess = t.checkpoint_bytes()
        fit(t)
    there = folder.saved_bytes(folder.newest(tmp_path))
    assert guess == pytest.approx(there, rel=0.35)


@pytest.mark.parametrize("background", [True, False])
def test_a_disk_that_is_full_in_the_middle_leaves_the_checkpoint_before(
    background: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = folder.commit

    def full(temporary: Path) -> Path:
        if temporary.name.startswith("step-00000003"):
            return commit(temporary)
        raise OSError(errno.ENOSPC, "No space left on device", str(temporary / "COMPLETE"))

    monkeypatch.setattr(folder, "commit", full)
    with small_trainer(small(steps=60, async_save=background), tmp_path) as t:
        with pytest.raises(ValueError, match=r"disk is full: saving needs [\d,]+ bytes, [\d,]+ are "
                                             r"free; step-00000003 is whole"):  # fmt: skip
            fit(t)
        assert t.step < 60  # not to the end and then to fail
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000003"]


def test_a_file_that_must_not_grow_is_told_apart(tmp_path: Path) -> None:
    error = room.failed(tmp_path, 5, OSError(errno.EFBIG, "File too large"))
    assert "needs 5 bytes" in str(error)
    assert "a file may not be larger here; nothing is saved yet" in str(error)
