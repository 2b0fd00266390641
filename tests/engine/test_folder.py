"""A checkpoint folder is whole or does not count."""

from __future__ import annotations

from pathlib import Path

import pytest

from prism.engine.store import folder


def write(run: Path, step: int) -> Path:
    temporary = folder.begin(run, step)
    (temporary / "data").write_text(f"of step {step}")
    return folder.commit(temporary)


def test_a_folder_counts_once_it_is_committed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no complete checkpoint"):
        folder.newest(tmp_path)
    temporary = folder.begin(tmp_path, 5)
    (temporary / "data").write_text("half")
    assert folder.complete(tmp_path) == []
    assert write(tmp_path, 5) == folder.newest(tmp_path)
    assert (tmp_path / "step-00000005" / "data").read_text() == "of step 5"


def test_what_a_killed_save_left_is_not_mixed_with_the_next(tmp_path: Path) -> None:
    (folder.begin(tmp_path, 5) / "left over").write_text("x")
    assert not (write(tmp_path, 5) / "left over").exists()


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for step in (9, 10, 100):
        write(tmp_path, step)
    folder.prune(tmp_path, 2)
    assert [p.name for p in folder.complete(tmp_path)] == ["step-00000010", "step-00000100"]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, 1) / "data"
    path.write_text("of")
    with pytest.raises(ValueError, match=r"step-00000001/data: 2 bytes, 9 were saved"):
        folder.newest(tmp_path)
    path.unlink()
    with pytest.raises(ValueError, match="None bytes"):
        folder.newest(tmp_path)
