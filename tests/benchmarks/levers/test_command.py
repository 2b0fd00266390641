"""The command runs every part, writes as it goes, goes on where it stopped, refuses in a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.levers import modular, text
from benchmarks.levers.__main__ import METHODS, main
from benchmarks.levers.curriculum import ELSEWHERE, above_constant, affordable
from benchmarks.results import main as results
from benchmarks.subjects import SUBJECTS
from prism.command import STOPPED
from prism.studies.modular.experiment import StudySizes


def fake_study(seed: int, sizes: StudySizes) -> dict[str, Any]:
    mean = {"joint": sizes.lr, "trunk": sizes.trunk_lr, "assembled": 1 - sizes.part_lr}
    mean["calibrated"] = 1.0
    measures = {"mean": mean}
    measures |= {"worst_interference": 0.0, "closed": 1.0, "closed_of_trunk": 1.0}
    measures |= {"critical_path": {"seconds": 0.4, "flops": 0.5}, "total": {"flops": 1.0}}
    cost = {"joint": {"tokens": 1, "flops": 1.0, "seconds": 1.0}}
    measures |= {k: {"text": 0.0} for k in ("interference", "interference_calibrated")}
    losses = {name: {"text": 1.0} for name in ("assembled", "joint")}
    return {"losses": losses, "cost": cost, "measures": measures, "parameters": 1}


@pytest.fixture
def mix(tmp_path: Path) -> str:
    """Two sources of which each holds some documents out."""
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        for i in range(150):
            (folder / f"{i}.txt").write_text(f"{name} text, document {i}. " * 4)
    return f"folder:{tmp_path / 'first'},folder:{tmp_path / 'second'}"


def test_every_part_runs_and_the_same_command_has_nothing_left_to_do(
    tmp_path: Path, mix: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(modular, "experiment", fake_study)
    monkeypatch.setattr(text, "WINDOW", 16)  # shuffling over 1,024 batches takes seconds
    monkeypatch.setattr("benchmarks.results.draw", lambda *arguments: [])
    out = tmp_path / "benchmarks" / "results" / "levers.json"
    command = ["--quick", "--seeds", "1", "--data", mix, "--name", "a text", "--out", str(out)]
    assert main(command) == 0
    assert "growth: phase final" in capsys.readouterr().out
    content = json.loads(out.read_text())
    assert set(METHODS) == set(content)
    assert str(tmp_path / "first") not in out.read_text()
    files = {subject.file: content for subject in SUBJECTS}
    judged = [c for s in SUBJECTS if s.name in METHODS for c in s.judged(files)]
    assert {criterion.verdict for criterion in judged} == {"not judged"}
    assert results(["--root", str(tmp_path)]) == 0
    rows = content["curriculum"]["runs"]
    late = {row.get("annealed") for row in rows if row["phase"] == "final"}
    assert late == {None, affordable(above_constant(rows, ELSEWHERE))}

    assert main(command) == 0
    assert "phase" not in capsys.readouterr().out
    for part in METHODS:
        assert json.loads(out.read_text())[part]["runs"] == content[part]["runs"]


def test_what_was_interrupted_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, seen = tmp_path / "levers.json", []

    def stops(seed: int, sizes: StudySizes) -> dict[str, Any]:
        seen.append(seed)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return fake_study(seed, sizes)

    command = ["--quick", "--part", "modular", "--seeds", "2", "--out", str(out)]
    monkeypatch.setattr(modular, "experiment", stops)
    assert main(command) == STOPPED
    assert "goes on" in capsys.readouterr().err
    assert main(command) == 0
    assert seen == [1000, 0, 0, 1]  # the tuning seed once, the interrupted one again


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["--part", "stacking"], "stacking"),
        (["--seeds", "0"], "--seeds 0"),
        (["--data", "nothing"], "nothing"),
        (["--data", "pydoc", "--part", "curriculum"], "at least two"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    tmp_path: Path, argv: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "levers.json"
    with pytest.raises(SystemExit, match="2"):
        main([*argv, "--quick", "--out", str(out)])
    error = capsys.readouterr().err
    assert named in error
    assert error.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize("content", ["no JSON", "[]", '{"modular": {"sizes": 1, "runs": []}}'])
def test_a_file_of_something_else_is_refused_and_kept(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "levers.json"
    out.write_text(content)
    with pytest.raises(SystemExit, match="2"):
        main(["--quick", "--part", "modular", "--out", str(out)])
    assert capsys.readouterr().err.count("\n") == 1
    assert out.read_text() == content
