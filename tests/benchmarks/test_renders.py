"""The pictures are made, are small, and are the same bytes each time."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest

from renders import architecture, figures
from tests.benchmarks.fakes import compare, task_runs

LARGEST = 600_000  # bytes


def check(folder: Path, name: str) -> None:
    for suffix in (".svg", ".png"):
        assert 5_000 < (folder / f"{name}{suffix}").stat().st_size < LARGEST


def test_the_architecture_is_drawn_the_same_twice(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        assert architecture.main(["--out", str(tmp_path / folder)]) == 0
        check(tmp_path / folder, "architecture")
    first, second = (tmp_path / f / "architecture.svg" for f in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


def test_the_results_are_drawn(tmp_path: Path) -> None:
    runs = task_runs("induction", 0.995, 0.5) + task_runs("copy", 0.9, 0.9, lengths=(64,))
    source = tmp_path / "compare.json"
    source.write_text(json.dumps(compare(runs)))
    assert figures.main(["--results", str(source), "--out", str(tmp_path)]) == 0
    check(tmp_path, "results")


def test_no_results_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        figures.main(["--results", str(tmp_path / "none.json")])
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("page", [architecture, figures])
def test_a_file_where_a_folder_must_be_is_one_line(
    page: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("kept")
    with pytest.raises(SystemExit, match="2"):
        page.main(["--out", str(file)])
    assert "must be a folder" in capsys.readouterr().err
    assert file.read_text() == "kept"
