"""docs/HOLO.md keeps its word: commands run and print what the page shows, Python runs."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "HOLO.md").read_text("utf-8")
NOT_RUN = {  # beginning of a command, and why
    "python -m prism.generate --checkpoint smollm2": "minutes, and optional packages; "
    "tests/test_generate.py does it slowly, and quickly with a small model",
}


def blocks(*languages: str) -> list[str]:
    fences = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [body for language, body in fences if language in languages]


def shown() -> list[tuple[str, str | None]]:
    """Every command, in the order of the page, and its output where the page has one."""
    found: list[tuple[str, str | None]] = []
    for body in blocks("console", "sh"):
        if not body.startswith("$ "):
            found += [(line, None) for line in body.splitlines()]
            continue
        for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def test_every_command_runs_and_prints_what_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (table,) = blocks("csv")
    Path("facts.csv").write_text(table)
    for command, output in shown():
        if command.startswith(tuple(NOT_RUN)):
            continue
        python, flag, module, *argv = shlex.split(command)
        assert (python, flag) == ("python", "-m"), command
        capsys.readouterr()
        assert importlib.import_module(module).main(argv) == 0, command
        captured = capsys.readouterr()
        if output is not None:
            assert captured.err + captured.out == output, command


def test_what_is_not_run_is_on_the_page() -> None:
    for beginning in NOT_RUN:
        assert any(command.startswith(beginning) for command, _ in shown())


def test_the_python_blocks_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    for number, body in enumerate(blocks("python"), start=1):
        exec(compile(body, f"HOLO.md, Python block {number}", "exec"), namespace)


def test_every_flag_of_the_commands_is_on_the_page() -> None:
    for name in ("ingest", "ask"):
        actions = importlib.import_module(f"prism.{name}").parser()._actions
        for action in actions:
            for flag in action.option_strings:
                assert f"`{flag}" in PAGE or flag in ("-h", "--help", "--tape"), flag


def test_links_files_and_anchors_are_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)", PAGE) if "://" not in link]
    named = re.findall(r"`((?:prism|tests)/[\w/.]*)`", PAGE)
    paths = [ROOT / "docs" / link for link in links] + [ROOT / name for name in named]
    assert not [str(path) for path in paths if not path.exists()]
    headings = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    known = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= known
