"""What counts as met, on numbers whose answer is known; and the page says all of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.levers.bars import levers_bars
from benchmarks.levers.figure import levers_figure
from benchmarks.levers.page import PAGE, SECTIONS, main
from benchmarks.page.command import ROOT
from tests.benchmarks.fakes import write
from tests.benchmarks.levers_fakes import levers


def verdicts(content: dict[str, Any], number: str) -> set[bool | None]:
    return {bar.met for bar in levers_bars(content) if bar.number == number}


def test_a_gain_at_three_quarters_of_the_cost_misses_growth_and_meets_selection() -> None:
    content = levers(gain=0.1)
    growth = [bar for bar in levers_bars(content) if bar.number == "1"]
    assert [bar.met for bar in growth] == [False, True] * 3  # 0.75 is above 0.70
    assert growth[0].reached.startswith("0.75")
    assert verdicts(content, "2") == verdicts(content, "3") == {True}
    assert verdicts(content, "4") == {True}


def test_reaching_the_loss_at_half_the_time_meets_growth() -> None:
    content = levers(gain=0.1)
    for run in content["growth"]["runs"]:
        if run["phase"] == "final" and run["arm"] != "scratch":
            run["ends"][0]["loss"] = 2.99
    (bar, *_) = levers_bars(content)
    assert bar.met is True
    assert bar.reached.startswith("≤ 0.50")


def test_a_loss_that_is_never_reached_is_missed_and_said_so() -> None:
    content = levers(gain=-0.1)
    for bar in levers_bars(content):
        if bar.number == "1" or bar.asks.startswith("excess"):
            assert bar.met is False
    text = next(bar.reached for bar in levers_bars(content) if "time to" in bar.asks)
    assert "not within the budget (5 of 5 seeds)" in text


@pytest.mark.parametrize(("spike", "dead", "met"), [(0.03, 0, False), (0.0, 1, False)])
def test_a_spike_or_a_dead_weight_on_any_seed_is_missed(spike: float, dead: int, met: bool) -> None:
    assert met in verdicts(levers(spike=spike, dead=dead), "2")


def test_annealing_must_help_the_skill_and_cost_nothing_elsewhere() -> None:
    content = levers(gain=0.04)
    found = [bar.met for bar in levers_bars(content) if bar.asks.startswith("annealed")]
    assert found == [False, True, False, True]


@pytest.mark.parametrize("seeds", [1, 4])
def test_fewer_than_five_seeds_are_not_judged(seeds: int) -> None:
    assert {bar.met for bar in levers_bars(levers(seeds=seeds))} == {None}


def test_a_quick_run_is_not_judged() -> None:
    content = levers()
    for part in content.values():
        part["meta"]["profile"] = "quick"
    assert {bar.met for bar in levers_bars(content)} == {None}


def test_what_is_not_measured_is_said(tmp_path: Path) -> None:
    bars = levers_bars({})
    assert {bar.verdict for bar in bars} == {"–"}
    assert len(bars) == len(levers_bars(levers()))
    assert main(["--root", str(tmp_path)]) == 0
    assert "python -m benchmarks.levers" in (tmp_path / PAGE).read_text()


def test_the_page_holds_every_part_and_every_arm(tmp_path: Path) -> None:
    content = levers()
    write(tmp_path, levers=content)
    assert main(["--root", str(tmp_path)]) == 0
    text = (tmp_path / PAGE).read_text()
    for _, title, _ in SECTIONS:
        assert f"## {title}" in text
    for part in content.values():
        for run in part["runs"]:
            assert run.get("arm", "") in text


@pytest.mark.parametrize("part", [part for part, _, _ in SECTIONS])
def test_a_part_that_is_only_tuned_has_no_table_yet(tmp_path: Path, part: str) -> None:
    content = levers()
    content[part]["runs"] = [r for r in content[part]["runs"] if r["phase"] != "final"]
    write(tmp_path, levers=content)
    assert main(["--root", str(tmp_path)]) == 0


def test_check_passes_only_when_nothing_would_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, levers=levers())
    assert main(["--root", str(tmp_path), "--check"]) == 1
    main(["--root", str(tmp_path)])
    assert main(["--root", str(tmp_path), "--check"]) == 0
    write(tmp_path, levers=levers(gain=0.2))
    capsys.readouterr()
    assert main(["--root", str(tmp_path), "--check"]) == 1
    assert f"{PAGE}: not what the JSON gives" in capsys.readouterr().out


def test_a_file_that_is_no_json_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, levers={})
    path = tmp_path / "benchmarks" / "results" / "levers.json"
    path.write_text("no JSON")
    with pytest.raises(SystemExit, match="2"):
        main(["--root", str(tmp_path)])
    assert capsys.readouterr().err.count("\n") == 1


def test_the_page_of_this_repository_is_up_to_date_and_names_no_path_of_a_machine() -> None:
    assert main(["--root", str(ROOT), "--check"]) == 0
    path = ROOT / "benchmarks" / "results" / "levers.json"
    if path.exists():
        assert "folder:/" not in json.dumps(json.loads(path.read_text()))


def test_the_picture_shows_every_lever_that_was_measured_and_is_the_same_twice(
    tmp_path: Path,
) -> None:
    results = tmp_path / "benchmarks" / "results"
    write(tmp_path, levers=levers(gain=0.1))
    pictures = []
    for _ in range(2):
        assert main(["--root", str(tmp_path)]) == 0
        pictures.append((results / "levers.svg").read_bytes())
    assert pictures[0] == pictures[1]
    content = levers(gain=0.1)
    titles = {ax.get_title(loc="left") for ax in levers_figure(content).axes if ax.get_visible()}
    assert {title.split(",")[0] for title in titles} == {
        "Growth",
        "Token selection",
        "Curriculum",
        "Modular",
    }
    growth = levers_figure({"growth": content["growth"]}).axes[0]
    assert growth.get_title(loc="left").startswith("Growth")
    assert len(growth.get_yticks()) == len(levers_figure(content).axes[0].get_yticks()) > 1


def test_nothing_measured_is_an_empty_picture_not_an_error() -> None:
    assert levers_figure({}).axes == []
