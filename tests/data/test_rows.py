"""Parquet: row groups in any order, a thousand rows at a time, only the columns in use."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from prism.data import files
from prism.data.files import Files
from prism.data.formats import Template, TextField
from tests.data.fakes import read_epoch


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """25 rows in groups of 10, read 4 at a time."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(files, "ROWS", 4)
    path = tmp_path / "a.parquet"
    columns = {"text": [f"row {i}" for i in range(25)], "n": list(range(25))}
    parquet.write_table(pyarrow.table(columns), path, row_group_size=10)
    return path


@pytest.mark.parametrize("seed", [None, 0, 1])
def test_every_row_is_read_once(table: Path, seed: int | None) -> None:
    found = read_epoch(Files("table", [table]), seed)
    assert sorted(found) == sorted(f"row {i}" for i in range(25))
    assert (found == [f"row {i}" for i in range(25)]) == (seed is None)


def test_any_window_opens_by_itself(table: Path) -> None:
    source = Files("table", [table])
    for group, first, texts in (
        (1, 8, ["row 18", "row 19"]),
        (0, 4, ["row 4", "row 5", "row 6", "row 7"]),
        (2, 0, ["row 20", "row 21", "row 22", "row 23"]),
    ):
        window = source.window(group, first)
        assert [window.read(i).text for i in range(window.count)] == texts


def test_numbers_may_stand_in_a_template(table: Path) -> None:
    source = Files("table", [table], Template("{n}: ", "{text}"))
    assert source.window(0, 0).read(3).parts == (("3: ", False), ("row 3", True))


def test_a_missing_column_is_named_before_anything_is_read(table: Path) -> None:
    with pytest.raises(ValueError, match=r"no column 'body'; there are \['text', 'n'\]"):
        Files("table", [table], TextField("body"))


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    path.write_bytes(b"text")
    with pytest.raises(ValueError, match=r"a\.parquet: not a Parquet file"):
        Files("table", [path])


def test_without_the_library_the_install_command_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    path = tmp_path / "a.parquet"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"a\.parquet: .*pip install 'prism-lm\[parquet\]'"):
        Files("table", [path])
