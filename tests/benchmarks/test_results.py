"""RESULTS.md and README.md are what the JSON files say, and ``--check`` knows when not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.page.chapters import CHAPTERS
from benchmarks.page.command import ROOT
from benchmarks.quality.thin import LARGEST, thin
from benchmarks.results import BEGIN, END, main
from prism.compare.summary import markdown_table, summarise
from tests.benchmarks.fakes import compare, specialisation, speed, task_runs, write
from tests.compare.fakes import job, run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project folder with three of the files and a README that has room for a table."""
    runs = task_runs("induction", 0.995, 0.5) + task_runs("copy", 0.7, 0.9, lengths=(64,))
    write(tmp_path, compare=compare(runs), speed=speed(), specialisation=specialisation())
    (tmp_path / "README.md").write_text(f"# A\n{BEGIN}\nthe table before\n{END}\nthe end\n")
    return tmp_path


def test_the_page_holds_every_section_and_the_losses_too(root: Path) -> None:
    assert main(["--root", str(root)]) == 0
    text = (root / "RESULTS.md").read_text()
    for part in ("## Bars", "## Quality", "### Protocol", "## Length", "## Specialisation"):
        assert part in text
    for part in ("## Speed", "## How it was made", "0123456789ab", "missed"):
        assert part in text
    assert text.count("Not measured yet") == len(CHAPTERS)  # their files are not there
    assert "0.700 ±" in text
    assert "**0.995 ±" in text


def test_the_readme_changes_between_its_markers_only(root: Path) -> None:
    main(["--root", str(root)])
    text = (root / "README.md").read_text()
    assert text.startswith(f"# A\n{BEGIN}\n")
    assert text.endswith(f"{END}\nthe end\n")
    assert "the table before" not in text
    assert markdown_table(summarise(task_runs("induction", 0.995, 0.5))).splitlines()[2] in text


def test_check_passes_only_when_nothing_would_change(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--root", str(root), "--check"]) == 1
    main(["--root", str(root)])
    assert main(["--root", str(root), "--check"]) == 0
    write(root, speed=speed(ratio=0.9))
    capsys.readouterr()
    assert main(["--root", str(root), "--check"]) == 1
    assert "RESULTS.md: not what the JSON gives" in capsys.readouterr().out


def test_what_is_missing_is_said_with_its_command(tmp_path: Path) -> None:
    main(["--root", str(tmp_path)])
    text = (tmp_path / "RESULTS.md").read_text()
    assert "python -m benchmarks.speed" in text
    assert "python -m benchmarks.specialisation" in text
    assert "python -m benchmarks.holo" in text
    assert "python -m benchmarks.results --import runs/full/results.json" in text
    assert "0 met, 0 missed" in text


def test_half_a_pair_of_markers_is_an_error(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "README.md").write_text(f"{END} {BEGIN}")
    with pytest.raises(SystemExit, match="2"):
        main(["--root", str(root)])
    assert capsys.readouterr().err.count("\n") == 1


def test_import_thins_without_changing_a_conclusion(root: Path) -> None:
    runs = task_runs("induction", 0.995, 0.5)
    for found in runs:
        found["curve"] = [{"step": 40 * i, "loss": 1 / 3, "val_loss": 1 / 3} for i in range(1, 11)]
        for point in found["curve"]:
            point["val_metric"] = 1 / 3
    source = root / "results.json"
    source.write_text(json.dumps(compare(runs)))
    assert main(["--root", str(root), "--import", str(source)]) == 0
    kept = json.loads((root / "benchmarks" / "results" / "compare.json").read_text())
    assert markdown_table(summarise(kept["runs"])) == markdown_table(summarise(runs))
    assert kept["runs"][0]["curve"][0] == {"step": 40, "val_metric": 0.3333}
    assert main(["--root", str(root), "--check"]) == 0


def test_a_whole_protocol_fits() -> None:
    """7 tasks, 4 models, 4 rates on 2 seeds and then 5 seeds at one of them."""
    point = {"loss": 1 / 3, "val_loss": 1 / 3, "val_metric": 1 / 3}
    curve = [{"step": 100 * i, **point} for i in range(1, 11)]
    by_length = {str(2**i): 1 / 3 for i in range(5, 9)}
    test = {"loss": 1 / 3, "accuracy": 1 / 3, "by_length": by_length}
    seeds = {0.001: 5, 0.003: 2, 0.006: 2, 0.01: 2}
    runs = [
        run(job(task=f"a_task{task}", model="transformer", lr=lr, seed=seed, steps=model + 1))
        | {"curve": curve, "test": test}
        for task in range(7)
        for model in range(4)
        for lr, count in seeds.items()
        for seed in range(count)
    ]
    assert len(thin({}, runs)) < 0.75 * LARGEST


@pytest.mark.parametrize("content", ["no JSON", "[]", "{}"])
def test_a_bad_import_is_one_line(
    root: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = root / "bad.json"
    source.write_text(content)
    with pytest.raises(SystemExit, match="2"):
        main(["--root", str(root), "--import", str(source)])
    assert capsys.readouterr().err.count("\n") == 1


def test_the_pages_of_this_repository_are_up_to_date() -> None:
    assert main(["--root", str(ROOT), "--check"]) == 0
