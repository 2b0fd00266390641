"""The quick form of the HoloTape benchmark measures all that the long one does, only smaller."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.holo import million, phases
from benchmarks.holo import speed as holo_speed
from benchmarks.holo.__main__ import QUICK, main
from benchmarks.holo.accuracy import proportion
from benchmarks.holo.criteria import holo_criteria, million_criteria
from benchmarks.holo.page import holo_sections, million_sections
from benchmarks.page.criterion import judge
from prism.holo import HoloTape


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("holo") / "holo.json"
    with pytest.MonkeyPatch.context() as patch:  # torchhd, where there is one, takes seconds
        patch.setattr(holo_speed, "find_spec", lambda name: None)
        assert main(["--quick", "--out", str(out)]) == 0
    return out, json.loads(out.read_text())


def test_everything_is_measured(quick: tuple[Path, dict[str, Any]]) -> None:
    content = quick[1]
    cells = [(row["candidates"], row["facts"]) for row in content["grid"]]
    assert cells == [(m, n) for m in QUICK.candidates for n in QUICK.facts]
    assert [row["candidates"] for row in content["limits"]] == list(QUICK.candidates)
    assert [row["name"] for row in content["density"]] == [d.name for d in QUICK.densities]
    assert [row["keys"] for row in content["many"]] == ["integers", "strings", "strings, open"]
    assert content["matched"][0]["left_in_register"] == 0
    assert content["torchhd"] is None
    assert len(content["calibration"]) == 2


def test_a_part_is_measured_into_the_file_that_has_the_rest(
    quick: tuple[Path, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    row = {"ours_per_second": 30.0, "torchhd_per_second": 2.0}
    monkeypatch.setattr("benchmarks.holo.__main__.find_spec", lambda name: object())
    monkeypatch.setattr("benchmarks.holo.__main__.against_torchhd", lambda *sizes: dict(row))
    with pytest.raises(SystemExit) as stopped:
        main(["--part", "torchhd", "--out", str(tmp_path / "none.json")])
    assert stopped.value.code == 2 and "needs the file" in capsys.readouterr().err
    out = tmp_path / "holo.json"
    out.write_text(quick[0].read_text())
    assert main(["--part", "torchhd", "--out", str(out)]) == 0
    content = json.loads(out.read_text())
    assert content["torchhd"]["meta"]["command"].startswith("python -m benchmarks.holo --part")
    assert {k: content["torchhd"][k] for k in row} == row
    assert {**content, "torchhd": None} == quick[1]


def test_a_quick_run_meets_and_misses_no_criterion(quick: tuple[Path, dict[str, Any]]) -> None:
    found = judge(holo_criteria, quick[1])
    assert {c.number for c in found} == {"1", "2", "3", "4", "5", "6"} - {"2"}
    assert all(c.met is None for c in found)


def test_a_full_run_is_judged(quick: tuple[Path, dict[str, Any]]) -> None:
    content = quick[1] | {"meta": quick[1]["meta"] | {"profile": "full"}}
    verdicts = {c.asks: c.verdict for c in holo_criteria(content)}
    assert verdicts["recall_many ≥ 12 × torchhd's batched recall"] == "–"
    assert set(verdicts.values()) <= {"met", "missed", "–"}


def test_the_file_says_where_it_comes_from(quick: tuple[Path, dict[str, Any]]) -> None:
    meta = quick[1]["meta"]
    assert meta["profile"] == "quick"
    assert meta["threads"] == 1
    assert {"torch", "commit", "cpu", "load_average", "command", "finished"} <= meta.keys()


def test_the_page_shows_every_cell_and_size(quick: tuple[Path, dict[str, Any]]) -> None:
    content = quick[1]
    text = "\n\n".join(holo_sections(content))
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    counted = ("grid", "density", "many", "calibration")
    measured = sum(len(content[name]) for name in counted)
    assert len(rows) == measured + 2 * len(counted)  # a head and a rule each


def test_it_is_drawn(quick: tuple[Path, dict[str, Any]]) -> None:
    for suffix in (".svg", ".png"):
        assert quick[0].with_suffix(suffix).stat().st_size > 1000


def test_an_interval_holds_its_share() -> None:
    for right, n in ((0, 5), (5, 5), (989, 1000)):
        row = proportion(right, n)
        assert 0 <= row["low"] <= row["share"] <= row["high"] <= 1


def test_bad_arguments_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--threads", "0"])
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "benchmarks.holo: --threads 0: must be >= 1\n"


@pytest.mark.slow
def test_a_million_matched_operations_leave_nothing() -> None:
    row = holo_speed.matched_operations(1_000_000, seed=1)
    assert row["operations"] == 1_000_000
    assert row["left_in_register"] == 0


def test_a_million_facts_are_judged_by_processor_time_and_memory() -> None:
    row = {"open": 0.5, "recall": 0.1, "slip": 1.0, "peak_bytes": 150}
    content = {
        "imports": [{"cpu": 2.0}, {"cpu": 2.2}, {"cpu": 9.0}],
        "command": [{"cpu": 3.0}],
        "ask": [row, row | {"slip": 3.0}, row],
        "bind": {"bind": 10.0, "tape_bytes": 100, "peak_bytes": 180},
        "ingest": {"cpu": 21.0, "ingest_bytes": 190},
    }
    found = [(c.reached, c.met) for c in million_criteria(content)]
    assert [met for _, met in found] == [True, True, True, True, False, True]
    assert [text for text, _ in found[2:]] == ["0.800 s", "1.000 s", "2.10 ×", "1.90 ×"]
    assert million_criteria(None) == []


def test_a_phase_finds_what_was_bound(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    bound = phases.bind(path, 500, 20, seed=3)
    asked = phases.ask(path, 500, 20, seed=3)
    assert bound["tape_bytes"] == asked["tape_bytes"] == phases.tape_bytes(HoloTape.load(path))
    assert min(bound["bind"], asked["slip"]) > 0


@pytest.mark.slow
def test_the_command_of_a_million_facts_writes_its_page(tmp_path: Path) -> None:
    out = tmp_path / "million.json"
    assert million.main(["--quick", "--out", str(out)]) == 0
    content = json.loads(out.read_text())
    assert content["meta"]["profile"] == "quick"
    assert "peak memory" in "".join(million_sections(content))
