"""docs/HOLO.md keeps its word: its commands run and print what the page shows."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from tests.docs import pages

pytestmark = pytest.mark.long
PAGE = "docs/HOLO.md"
NOT_RUN = {  # beginning of a command, and why
    "python -m prism.generate --checkpoint smollm2": "minutes, and optional packages; "
    "tests/test_generate.py does it slowly, and quickly with a small model",
}


def test_every_command_runs_and_prints_what_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (table,) = pages.blocks(PAGE, "csv")
    Path("facts.csv").write_text(table)
    for command, output in pages.commands(PAGE):
        if command.startswith(tuple(NOT_RUN)):
            continue
        capsys.readouterr()
        assert pages.run(command) == 0, command
        captured = capsys.readouterr()
        if output is not None:
            assert captured.err + captured.out == output, command


def test_what_is_not_run_is_on_the_page() -> None:
    for beginning in NOT_RUN:
        assert any(command.startswith(beginning) for command, _ in pages.commands(PAGE))


def test_every_flag_of_the_commands_is_on_the_page() -> None:
    for name in ("ingest", "ask"):
        actions = importlib.import_module(f"prism.{name}").parser()._actions
        for action in actions:
            for flag in action.option_strings:
                there = f"`{flag}" in pages.text(PAGE)
                assert there or flag in ("-h", "--help", "--tape"), flag
