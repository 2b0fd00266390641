"""Files that a folder or pattern means; every one that is passed over is counted and named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from prism.data import parse_mix
from prism.data.find import RUN_LOCK, Found, ending_of, find_files


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with text of every ending in any case, links, and what is no text."""
    monkeypatch.chdir(tmp_path)
    for path in ("in/a.txt", "in/B.TXT", "in/deep/c.Md", "in/d.jsonl", "out/linked.txt",
                 "in/._a.txt", "in/__MACOSX/._a.txt", "in/.DS_Store", "in/e.json", "in/f.pdf",
                 "in/runs/x/g.txt", "in/runs/x/run.lock", "in/old/settings.json",
                 "in/old/metrics.jsonl"):  # fmt: skip
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text("text")
    Path("in/link").symlink_to(tmp_path / "out")
    Path("in/again").symlink_to("deep")
    Path("in/circle").symlink_to(".", target_is_directory=True)
    Path("in/nothing.txt").symlink_to("nowhere.txt")
    return tmp_path


def test_links_are_followed_and_endings_count_in_any_case(corpus: Path) -> None:
    found = find_files("x", "in")
    names = [str(path) for path in found.files]
    assert names == [
        "in/B.TXT", "in/a.txt", "in/d.jsonl", "in/deep/c.Md", "in/link/linked.txt"]  # fmt: skip
    assert len({os.path.realpath(name) for name in names}) == len(names)


def test_every_file_that_is_passed_over_has_its_reason(corpus: Path) -> None:
    found = find_files("x", "in")
    assert found.skipped == {
        "in/._a.txt": "macOS's own",
        "in/.DS_Store": "macOS's own",
        "in/__MACOSX/": "macOS's own",
        "in/e.json": "JSON: name the file to read it",
        "in/f.pdf": "another ending",
        "in/nothing.txt": "a link to nothing",
        "in/old/": "the folder of a run",
        "in/runs/x/": "the folder of a run",
    }
    [line] = parse_mix("folder:in").remarks()
    assert line.startswith("source in: 5 files read, 8 skipped: in/.DS_Store (macOS's own), ")
    assert line.endswith(" and 3 more")


@pytest.fixture
def hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of which all but one file are hidden, by their name or their folder's."""
    monkeypatch.chdir(tmp_path)
    for path in ("in/a.txt", "in/.notes.md", "in/.git/info.txt", "in/.venv/lib/pkg/entry.txt",
                 "in/sub/.ipynb_checkpoints/a.txt"):  # fmt: skip
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text("text")
    return tmp_path


def test_what_is_hidden_is_no_corpus(hidden: Path) -> None:
    found = find_files("x", "in")
    assert [str(path) for path in found.files] == ["in/a.txt"]
    assert found.skipped == dict.fromkeys(
        ("in/.git/", "in/.notes.md", "in/.venv/", "in/sub/.ipynb_checkpoints/"), "hidden"
    )


def test_a_pattern_finds_what_is_hidden_only_if_it_says_so(hidden: Path) -> None:
    found = find_files("x", "in/**/*.txt")
    assert [str(path) for path in found.files] == ["in/a.txt"]
    assert set(found.skipped.values()) == {"hidden"}
    assert len(found.skipped) == 3
    for asked in ("in/.git", "in/.git/info.txt", "in/.git/*.txt"):
        assert [str(path) for path in find_files("x", asked).files] == ["in/.git/info.txt"]


def test_nothing_passed_over_needs_no_word() -> None:
    assert Found([Path("a.txt")]).remark() is None


def test_the_folder_of_a_run_is_no_corpus(corpus: Path) -> None:
    with pytest.raises(ValueError, match=r"in/runs/x is the folder of a run, whose files change"):
        find_files("x", "in/runs/x")
    assert find_files("x", "in/runs/x/g.txt").files == [Path("in/runs/x/g.txt")]


def test_a_pattern_passes_over_runs_too(corpus: Path) -> None:
    found = find_files("x", "in/**/[ag].txt")
    assert found.files == [Path("in/a.txt")]
    assert found.skipped == {"in/runs/x/g.txt": "in the folder of a run"}


def test_a_folder_of_nothing_readable_says_what_it_holds(corpus: Path) -> None:
    Path("in/a.txt").rename("only.txt")
    for name in ("B.TXT", "d.jsonl", "deep/c.Md", "link", "circle"):
        (Path("in") / name).unlink()
    with pytest.raises(ValueError, match=r"holds no file of \.txt.*; it holds \d+ other: "):
        find_files("x", "in")


@pytest.mark.parametrize(
    ("name", "ending", "packed"),
    [
        ("a.txt", ".txt", False),
        ("a.RST.GZ", ".rst", True),
        ("a.parquet.gz", None, True),
        ("a.txt.bz2", None, False),
        ("a", None, False),
        ("a.NDJSON", ".ndjson", False),
    ],
)
def test_endings(name: str, ending: str | None, packed: bool) -> None:
    assert ending_of(Path(name)) == (ending, packed)


def test_the_lock_of_a_run_is_what_the_engine_writes(tmp_path: Path) -> None:
    from prism.engine.store.lock import locked

    with locked(tmp_path / "run"):
        assert (tmp_path / "run" / RUN_LOCK).is_file()


def test_what_is_neither_file_nor_folder_is_called_so(corpus: Path) -> None:
    os.mkfifo("in/pipe.txt")
    with pytest.raises(ValueError, match=r"source x: in/pipe\.txt is no regular file; must be a"):
        find_files("x", "in/pipe.txt")
    assert find_files("x", "in").skipped["in/pipe.txt"] == "no regular file"


def test_a_name_of_several_lines_is_told_in_one(tmp_path: Path) -> None:
    for name in ("a.txt", "two\nlines.pdf"):
        (tmp_path / name).write_text("text")
    [line] = parse_mix(f"folder:{tmp_path}").remarks()
    assert line.endswith(f"1 file read, 1 skipped: {tmp_path}/two\\nlines.pdf (another ending)")
