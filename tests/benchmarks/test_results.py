"""The pages are those that the JSON files give, and ``--check`` tells when they are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.page.command import ROOT
from benchmarks.page.subject import earlier, read_files
from benchmarks.quality.thin import LARGEST, thin
from benchmarks.results import BEGIN, END, main
from benchmarks.subjects import PAGES, SPEED, SUBJECTS
from prism.compare.summary import markdown_table, summarise
from prism.record import ARCHITECTURE, describe
from tests.benchmarks.fakes import (
    compare,
    facts,
    facts_tape,
    methods,
    real_text,
    specialisation,
    speed,
    task_runs,
    trainer,
    write,
)
from tests.compare.fakes import job, run


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with most of the files and a README that has room for a table; figures are
    not drawn, which takes seconds."""
    monkeypatch.setattr("benchmarks.results.draw", lambda *arguments: [])
    runs = task_runs("induction", 0.995, 0.5) + task_runs("copy", 0.7, 0.9, lengths=(64,))
    write(
        tmp_path,
        compare=compare(runs),
        speed=speed(),
        specialisation=specialisation(),
        facts=facts(*(facts_tape(100, s, written=0.97 + 0.01 * s) for s in range(3))),
        real_text=real_text(),
        trainer=trainer(0.02, 0.04),
        levers=methods(),
    )
    (tmp_path / "README.md").write_text(f"# A\n{BEGIN}\nthe table before\n{END}\nthe end\n")
    return tmp_path


def pages(root: Path) -> dict[str, str]:
    """Text by name of page."""
    files = read_files(root / "benchmarks" / "results", SUBJECTS)
    return {page.file: page.text(SUBJECTS, files) for page in PAGES}


def test_every_subject_is_a_chapter_and_the_losses_are_shown_too(root: Path) -> None:
    texts = pages(root)
    for subject in SUBJECTS:
        text = texts[subject.page]
        assert f"\n## {subject.title}\n" in text
        missing = not (root / "benchmarks" / "results" / subject.file).exists()
        assert (subject.missing in text) == missing
    for text in texts.values():
        assert "0123456789ab" in text  # the commit, in the table of origins
        assert "| missed |" in text


@pytest.mark.parametrize(
    "line",
    [
        "| copy | 64 | accuracy ↑ | 0.1 | 0.700 ±0.002 |",
        "| prism | 0.256 ms (0.40) | 8.19 ms (0.40) |",
        "| mqar | memory | 50% | 0.5 | 0.1 | 5.0 | 5.0 | 1 of 1 |",
        "| written | 0.9800 [0.9552, 1.0048] |",
        "| no tape: written | 0.1000 [0.1000, 0.1000] |",
        "| bind, ms a fact | 5.000 |",
        "| unseen | how unseen | 40 |",
        "| 4 × 512 | 200 ms | 208 ms | 4.0% [3.0%, 5.0%] |",
        "| ssm | 1,000 | 64 | 0.002 | 2.000 | 2.000 | +0.500 | 2 |",
        "| stack | 0.01 | 0.75 [0.75, 0.75] | 0.75 [0.75, 0.75] |",
        "| annealed | 0.01 | 20% | −0.100 [−0.100, −0.100] | +0.000 [+0.000, +0.000] | 5 |",
        "| assembled | 2.900 | 0 | 0 |",
        "| transformer | 10 µs | 10 µs | 10 µs |",
        "| transformer | 2 MiB | 16 MiB |",
        "| 256 | 1 | 0.400 | 1.10 | 1.000 | 1.000 |",
        "| backbone | 3.000 | 10 | 1 |",
    ],
)
def test_numbers_of_every_table(root: Path, line: str) -> None:
    assert line in "".join(pages(root).values())


def test_the_readme_changes_between_its_markers_only(root: Path) -> None:
    main(["--root", str(root)])
    text = (root / "README.md").read_text()
    assert text.startswith(f"# A\n{BEGIN}\n")
    assert text.endswith(f"{END}\nthe end\n")
    assert "the table before" not in text
    assert markdown_table(summarise(task_runs("induction", 0.995, 0.5))).splitlines()[2] in text


@pytest.mark.parametrize(
    ("page", "changed"),
    [("RESULTS.md", {"speed": speed(0.9)}), ("RESULTS_LEVERS.md", {"levers": methods(gain=0.2)})],
)
def test_check_passes_only_when_nothing_would_change(
    root: Path, page: str, changed: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--root", str(root), "--check"]) == 1
    main(["--root", str(root)])
    assert main(["--root", str(root), "--check"]) == 0
    write(root, **changed)
    capsys.readouterr()
    assert main(["--root", str(root), "--check"]) == 1
    assert f"{page}: not what the JSON gives" in capsys.readouterr().out


def test_what_is_missing_is_said_with_its_command(tmp_path: Path) -> None:
    texts = pages(tmp_path)
    for subject in SUBJECTS:
        assert subject.missing in texts[subject.page]
        assert subject.command.split(", then ")[0] in texts[subject.page]
    for text in texts.values():
        assert "0 met, 0 missed" in text


@pytest.mark.parametrize("name", ["growth", "selection", "curriculum", "modular"])
def test_a_method_that_is_only_tuned_has_no_table_yet(root: Path, name: str) -> None:
    content = methods()
    content[name]["runs"] = [r for r in content[name]["runs"] if r["phase"] != "final"]
    write(root, levers=content)
    assert "## How it was made" in pages(root)["RESULTS_LEVERS.md"]


@pytest.mark.parametrize("content", ["no JSON", "[]"])
def test_a_file_that_cannot_be_read_is_one_line(
    root: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "benchmarks" / "results" / "levers.json").write_text(content)
    with pytest.raises(SystemExit, match="2"):
        main(["--root", str(root)])
    assert capsys.readouterr().err.count("\n") == 1


def test_figures_are_drawn_the_same_twice(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    drawn = []
    for _ in range(2):
        main(["--root", str(root)])
        results = (root / "benchmarks" / "results").glob("*.svg")
        drawn.append({path.stem: path.read_bytes() for path in results})
    assert drawn[0] == drawn[1]
    assert set(drawn[0]) == {"speed", "real_text", "levers"}


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
    mine = [r for r in kept["runs"] if r["task"] == "induction"]
    assert markdown_table(summarise(mine)) == markdown_table(summarise(runs))
    assert mine[0]["curve"][0] == {"step": 40, "val_metric": 0.3333}
    assert main(["--root", str(root), "--check"]) == 0


def test_import_replaces_its_tasks_and_keeps_the_others(root: Path) -> None:
    path, source = root / "benchmarks" / "results" / "compare.json", root / "results.json"
    before = json.loads(path.read_text())
    for found in before["runs"]:
        found.pop("architecture", None)  # as before runs named theirs
    path.write_text(json.dumps(before))
    runs = [r | {"architecture": ARCHITECTURE} for r in task_runs("induction", 0.9, 0.5)]
    source.write_text(json.dumps({"meta": compare()["meta"] | {"commit": "new"}, "runs": runs}))
    assert main(["--root", str(root), "--import", str(source)]) == 0
    after = json.loads(path.read_text())
    other = [r["test"] for r in before["runs"] if r["task"] != "induction"]
    assert other and [r["test"] for r in after["runs"] if r["task"] != "induction"] == other
    assert {r["architecture"] for r in after["runs"] if r["task"] == "induction"} == {ARCHITECTURE}
    commits = {task: of["commit"] for task, of in after["meta"]["of_task"].items()}
    assert commits == {"copy": before["meta"]["commit"], "induction": "new"}
    line = next(x for x in pages(root)["RESULTS.md"].splitlines() if "earlier architecture" in x)
    assert "Quality: copy" in line and "induction" not in line


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


def test_a_page_names_the_chapters_whose_prism_was_of_an_earlier_architecture(root: Path) -> None:
    path = root / "benchmarks" / "results" / "speed.json"
    content = json.loads(path.read_text())
    line = next(x for x in pages(root)["RESULTS.md"].splitlines() if "earlier architecture" in x)
    assert "Speed (commit" in line
    assert "Facts in SmolLM2" not in line  # no PRISM was measured
    content["meta"]["architecture"] = ARCHITECTURE
    path.write_text(json.dumps(content))
    line = next(x for x in pages(root)["RESULTS.md"].splitlines() if "earlier architecture" in x)
    assert "Speed" not in line
    assert "Quality (commit" in line
    assert earlier((SPEED,), read_files(path.parent, SUBJECTS)) == ""


def test_a_new_measurement_says_of_which_architecture_it_is() -> None:
    assert describe("python -m x", "full")["architecture"] == ARCHITECTURE


def test_the_pages_of_this_repository_are_up_to_date_and_name_no_path_of_a_machine() -> None:
    assert main(["--root", str(ROOT), "--check"]) == 0
    for path in (ROOT / "benchmarks" / "results").glob("*.json"):
        assert "folder:/" not in path.read_text()
