"""A file is the old one or the new one, whatever happens in between."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from prism import whole_file
from prism.whole_file import reason, resolved


@pytest.mark.parametrize("content", ["text é\n", b"\x00\xff"])
def test_a_file_is_replaced_and_its_folder_made(content: str | bytes, tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    whole_file.write(path, b"old")
    whole_file.write(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    whole_file.write(path, "old")

    def disk_full(descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", disk_full)
    with pytest.raises(OSError, match="no space"):
        whole_file.write(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_permissions_stay(tmp_path: Path) -> None:
    path = tmp_path / "file"
    whole_file.write(path, "old")
    path.chmod(0o600)
    whole_file.write(path, "new")
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_error_names_the_file_that_was_to_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", disk_full)
    with pytest.raises(OSError, match="No space") as error:
        whole_file.write(tmp_path / "file", "new")
    name = tmp_path / "file"
    assert reason(error.value) == f"{name}: No space left on device (3 bytes are needed)"


def test_drafts_of_killed_processes_are_swept(tmp_path: Path) -> None:
    for name in (".file.0123abcd", ".hidden", "file.0123abcd", "file"):
        (tmp_path / name).write_text("x")
    whole_file.sweep(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".hidden", "file", "file.0123abcd"]


def test_a_folder_that_cannot_be_written_names_the_file_not_the_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def read_only(path: Path, flags: int, *mode: int) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        return opened(path, flags, *mode)

    monkeypatch.setattr("os.open", read_only)
    with pytest.raises(OSError, match="Read-only") as error:
        whole_file.write(tmp_path / "file", "new")
    assert reason(error.value) == f"{tmp_path / 'file'}: Read-only file system"


def test_a_link_to_itself_is_an_error_of_one_line(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    for use in (resolved, lambda path: whole_file.write(path, "new")):
        with pytest.raises(OSError) as error:
            use(loop)
        assert reason(error.value) == f"{loop}: {os.strerror(errno.ELOOP)}"
    (tmp_path / "link").symlink_to("file")
    assert resolved(tmp_path / "link") == tmp_path.resolve() / "file"  # which is not there
