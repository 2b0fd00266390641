"""Training on real text: the file holds no folder of the machine, the page no broken table."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from benchmarks.real_text import __main__ as command
from benchmarks.real_text.__main__ import MODELS, main
from benchmarks.real_text.page import text_sections
from benchmarks.real_text.plot import text_figure
from tests.benchmarks.fakes import real_text


def test_what_a_model_writes_cannot_break_the_table() -> None:
    text = "\n\n".join(text_sections(real_text()))
    row = next(line for line in text.splitlines() if "**If**" in line)
    assert row.count("|") == 4  # three of the table and one that the model wrote, escaped
    assert "\\| b ⏎ \\*c\\*" in row


def test_the_figure_has_a_line_per_model_and_panel() -> None:
    assert [len(ax.lines) for ax in text_figure(real_text()).axes] == [len(MODELS)] * 2


def test_a_mix_that_cannot_be_read_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--data", "file:nowhere.txt", "--work", str(tmp_path)])
    assert stop.value.code == 2
    assert "nowhere.txt" in capsys.readouterr().err


@pytest.mark.parametrize(("best", "tried"), [(8e-3, 4), (1e-3, 4), (4e-3, 3), (1.0, 5)])
def test_the_search_ends_where_both_neighbours_are_worse(
    best: float, tried: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(where: Path, model: str, rate: float, steps: int, flags: object) -> list:
        return [{"held_out_loss": abs(math.log(rate / best))}]

    monkeypatch.setattr(command, "_train", train)
    found = command._search(tmp_path, "gdn", {"steps": 100, "sweep_steps": 10}, {})
    chosen = min(found, key=lambda rate: found[rate])
    assert chosen == pytest.approx(min(best, command.EXTREMES[1]))
    assert len(found) == tried


@pytest.mark.slow
def test_a_quick_run_measures_every_model_and_keeps_folders_to_itself(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    args = ["--quick", "--work", str(tmp_path / "work"), "--out", str(out)]
    assert main(args) == 0
    content = json.loads(out.read_text())
    assert [row["model"] for row in content["runs"]] == list(MODELS)
    assert str(tmp_path) not in out.read_text()
    before = content["runs"]
    assert main(args) == 0  # everything is done: nothing is trained again
    assert json.loads(out.read_text())["runs"] == before
