"""The pictures are made, are small, and are the same bytes each time."""

from __future__ import annotations

import json
import pkgutil
import re
from itertools import chain, pairwise
from pathlib import Path
from types import ModuleType

import matplotlib
import pytest

import prism
from renders import architecture, figures, map
from renders.drawing import HERE, STYLE
from tests.benchmarks.fakes import compare, task_runs

LARGEST = 600_000  # bytes
PRISM = Path(prism.__file__).parent


def check(folder: Path, name: str) -> None:
    for suffix in (".svg", ".png"):
        assert 5_000 < (folder / f"{name}{suffix}").stat().st_size < LARGEST


@pytest.mark.parametrize(
    ("page", "names"), [(architecture, ["architecture"]), (map, ["packages", "data_flow"])]
)
def test_a_diagram_is_drawn_the_same_twice(
    page: ModuleType, names: list[str], tmp_path: Path
) -> None:
    for folder in ("a", "b"):
        assert page.main(["--out", str(tmp_path / folder)]) == 0
    for name in names:
        check(tmp_path / "a", name)
        first, second = (tmp_path / f / f"{name}.svg" for f in ("a", "b"))
        assert first.read_bytes() == second.read_bytes()


def test_the_map_on_disk_has_the_words_of_one_drawn_now(tmp_path: Path) -> None:
    assert map.main(["--out", str(tmp_path)]) == 0
    for name in ("packages.svg", "data_flow.svg"):
        drawn, kept = (
            re.findall("<!-- (.+) -->", (f / name).read_text()) for f in (tmp_path, HERE)
        )
        assert drawn and drawn == kept, "python -m renders.map"


def test_the_map_shows_every_module_of_prism_in_its_layer() -> None:
    rows = map.layers()
    names = set(chain(*rows))
    assert names == set(map.NOTES)
    commands = {module.name for module in pkgutil.iter_modules(prism.__path__)} - names
    assert all((PRISM / f"{name}.py").read_text().count("\ndef main(") == 1 for name in commands)
    with matplotlib.rc_context(STYLE):
        (ax,) = map.packages(rows).axes
    height = {t.get_text(): t.get_position()[1] for t in ax.texts if t.get_text() in names}
    assert set(height) == names
    for above, below in pairwise(rows):
        assert min(height[name] for name in above) > max(height[name] for name in below)


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


@pytest.mark.parametrize("page", [architecture, figures, map])
def test_a_file_where_a_folder_must_be_is_one_line(
    page: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("kept")
    with pytest.raises(SystemExit, match="2"):
        page.main(["--out", str(file)])
    assert "must be a folder" in capsys.readouterr().err
    assert file.read_text() == "kept"
