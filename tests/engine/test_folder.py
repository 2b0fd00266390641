"""A checkpoint folder is whole or does not count."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def damaged(path: Path) -> None:
    """Change one bit in the middle of a file; its size stays."""
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


DAMAGES = {
    "a bit": lambda folder: damaged(folder / "data"),
    "cut short": lambda folder: (folder / "data").write_text("of"),
    "gone": lambda folder: (folder / "data").unlink(),
    "empty mark": lambda folder: (folder / "COMPLETE").write_text(""),
    "mark of nothing": lambda folder: (folder / "COMPLETE").write_text("{}"),
    "mark that is no text": lambda folder: (folder / "COMPLETE").write_bytes(b"\xff\xfe"),
    "a bit of the mark": lambda folder: damaged(folder / "COMPLETE"),
    "a stranger": lambda folder: (folder / "shard-2.safetensors").write_text("x"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_does_not_count_and_one_line_says_so(
    damage: str, tmp_path: Path
) -> None:
    before, last = write(tmp_path, 1), write(tmp_path, 2)
    DAMAGES[damage](last)
    said: list[str] = []
    assert folder.newest(tmp_path, said.append) == before
    [line] = said
    assert line.startswith(f"{last} is damaged: ")
    assert line.count(str(tmp_path)) == 1, "the path is named once"
    assert line.endswith("going back to step-00000001")
    with pytest.raises(ValueError, match="step-00000002 is damaged"):
        folder.verify(last)


def test_when_all_are_damaged_the_newest_is_named(tmp_path: Path) -> None:
    for step in (1, 2):
        damaged(write(tmp_path, step) / "data")
    says = r"step-00000002 is damaged: the contents of data have changed, and so are the 1 before"
    with pytest.raises(ValueError, match=says):
        folder.newest(tmp_path)


@given(at=st.integers(0, 10**6), mask=st.integers(1, 255))
def test_any_changed_byte_of_any_file_is_seen(
    at: int, mask: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    temporary = folder.begin(tmp_path_factory.mktemp("run"), 1)
    (temporary / "run.json").write_text('{"step": 1}')
    (temporary / "shard.safetensors").write_bytes(bytes(range(256)) * 3)
    where = folder.commit(temporary)
    folder.verify(where)
    files = [where / "run.json", where / "shard.safetensors"]
    file = files[at % 2]
    raw = bytearray(file.read_bytes())
    raw[at % len(raw)] ^= mask
    file.write_bytes(raw)
    with pytest.raises(ValueError, match=f"contents of {file.name} have changed"):
        folder.verify(where)


def test_a_mark_of_an_older_version_has_sizes_alone(tmp_path: Path) -> None:
    where = write(tmp_path, 3)
    (where / folder.MARK).write_text(json.dumps({"data": 9}))
    assert folder.newest(tmp_path) == where
    (where / "data").write_text("shorter")
    with pytest.raises(ValueError, match=r"data has 7 bytes, 9 were saved"):
        folder.newest(tmp_path)


def test_a_folder_without_a_mark_is_replaced(tmp_path: Path) -> None:
    (write(tmp_path, 5) / folder.MARK).unlink()
    (tmp_path / "step-00000005" / "left over").write_text("x")
    where = write(tmp_path, 5)
    assert sorted(p.name for p in where.iterdir()) == [folder.MARK, "data"]
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000005"]


def test_what_a_killed_removal_left_is_no_obstacle(tmp_path: Path) -> None:
    where = write(tmp_path, 5)
    left = where.with_name(f"{where.name}.old")
    left.mkdir()
    (left / "data").write_text("x")
    assert write(tmp_path, 5) == where
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000005"]


def test_a_run_that_goes_back_sets_later_folders_aside_and_clears_up(tmp_path: Path) -> None:
    start = write(tmp_path, 4)
    write(tmp_path, 6)
    (write(tmp_path, 8) / folder.MARK).unlink()
    for name in ("step-00000009.tmp", "step-00000002.old", "growing.tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / ".settings.json.0a1b2c3d").write_text("draft of a killed process")
    (tmp_path / "notes.txt").write_text("mine")
    folder.tidy(tmp_path, start)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "notes.txt", "step-00000004", "step-00000006.damaged", "step-00000008.damaged"]  # fmt: skip
    assert (tmp_path / "step-00000006.damaged" / "data").read_text() == "of step 6"


@pytest.mark.parametrize("kind", ["file", "link to a file", "link to nothing"])
@pytest.mark.parametrize("name", ["step-00000006", "step-00000006.tmp", "step-00000006.old"])
def test_what_is_no_folder_is_no_checkpoint_and_is_never_lost(
    kind: str, name: str, tmp_path: Path
) -> None:
    """A stray file under the name that a checkpoint has, has while it is written, or had."""
    run = tmp_path / "run"
    start, stray = write(run, 4), run / name
    (tmp_path / "mine").write_text("mine")
    if kind == "file":
        stray.write_text("mine")
    else:
        stray.symlink_to(tmp_path / ("mine" if kind == "link to a file" else "nowhere"))
    said: list[str] = []
    assert folder.newest(run, said.append) == start
    assert said == []
    write(run, 6)  # begins while the file is there
    last = write(run, 6)
    assert last.is_dir() and folder.newest(run) == last
    folder.tidy(run, last)
    kept = [path for path in run.iterdir() if not path.is_dir()]
    assert [path.name for path in kept] == [f"{name}.damaged"]
    assert kind == "link to nothing" or kept[0].read_text() == "mine"


def test_what_was_set_aside_before_stays(tmp_path: Path) -> None:
    start = write(tmp_path, 4)
    for text in ("first", "second", "third"):
        (write(tmp_path, 6) / "data").write_text(text)
        folder.tidy(tmp_path, start)
    kept = {p.name: (p / "data").read_text() for p in tmp_path.glob("*.damaged*")}
    assert kept == {
        "step-00000006.damaged": "first",
        "step-00000006.damaged-2": "second",
        "step-00000006.damaged-3": "third",
    }


def test_a_checkpoint_that_is_a_link_can_be_pruned_and_replaced(tmp_path: Path) -> None:
    elsewhere, run = tmp_path / "elsewhere", tmp_path / "run"
    moved = write(run, 5).rename(elsewhere)
    (run / "step-00000005").symlink_to(elsewhere)
    assert folder.newest(run) == run / "step-00000005"
    write(run, 6)
    folder.prune(run, 1)
    assert [p.name for p in run.iterdir()] == ["step-00000006"]
    assert (moved / "data").read_text() == "of step 5"
