"""Numbers go to ``metrics.jsonl`` always, and to extras when asked for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from prism.engine.log import JsonLines, TensorBoard, Terminal, WandB, read
from prism.engine.settings import Settings
from prism.report import main, render


def test_a_resumed_run_replaces_what_it_does_again(tmp_path: Path) -> None:
    lines = JsonLines(tmp_path, 0)
    for step in range(1, 5):
        lines.write({"step": step, "loss": float(step)})
    lines.close()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "lo')  # killed while writing
    lines = JsonLines(tmp_path, 2)
    lines.write({"step": 3, "loss": 0.5})
    lines.close()
    assert [(r["step"], r["loss"]) for r in read(tmp_path)] == [(1, 1.0), (2, 2.0), (3, 0.5)]


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\nhello\n{"step": 2}\n')
    with pytest.raises(ValueError, match=r"metrics\.jsonl: line 2 is not JSON"):
        read(tmp_path)


def test_the_terminal_shows_dictionaries_short(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal(9).write({"step": 3, "loss": 1.23456789, "loads": {"neural": 0.5, "memory": 1 / 3}})
    assert capsys.readouterr().out == (
        "step 3/9  loss 1.235  loads {neural: 0.5, memory: 0.3333}\n"
    )


def test_a_missing_extra_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(
        ValueError, match=r"--wandb: not installed; pip install 'prism-lm\[wandb\]'"
    ):
        WandB(tmp_path, Settings(), None)
    with pytest.raises(ValueError, match=r"pip install 'prism-lm\[tensorboard\]'"):
        TensorBoard(tmp_path)


def test_a_report_needs_a_run_with_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main([str(tmp_path)])
    assert stop.value.code == 2
    assert "settings.json: no such file" in capsys.readouterr().err
    (tmp_path / "settings.json").write_text('{"model": "prism", "preset": "<tiny>"}')
    JsonLines(tmp_path, 0).close()
    with pytest.raises(ValueError, match="nothing has been logged yet"):
        render(tmp_path)
    lines = JsonLines(tmp_path, 0)
    lines.write({"step": 1, "bits_per_byte": 2.0, "loads": {"neural": 1.0}})
    lines.close()
    page = render(tmp_path)
    assert "<tiny>" not in page
    assert "router loads" in page
    assert "gradient norm" not in page
