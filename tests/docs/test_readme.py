"""README keeps its word: its commands run, and its first screen has what it should."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs import pages

pytestmark = pytest.mark.long
PAGE = "README.md"
NOT_RUN = {
    "make compare": "10 minutes; tests/test_train_cli.py makes a small comparison",
    "make test": "this is it",
    "python examples/first_hour.py": "tests/docs/test_first_hour.py runs it",
    "pip install -c constraints.txt -e '.[dev]'": "changes the environment of the tests",
    "python -m prism.run_scale --smoke": "tests/engine/test_killed.py runs it",
    "python -m prism.train --compare --full --out runs/full": "hours; tests/compare do it small",
    "python -m benchmarks.results --import runs/full/results.json": "needs the run before it; "
    "tests/benchmarks/test_results.py imports a small one",
    "python -m benchmarks.speed": "long; tests/benchmarks/test_speed.py runs --quick",
    "python -m benchmarks.speed --quick --threads 1 --out runs/speed.json": "as above",
    "python -m benchmarks.specialisation": "long; tests/benchmarks/test_ablation.py does it small",
    "python -m benchmarks.results": "rewrites pages of the checkout; run below with --check",
    "python -m renders.figures": "needs the full run; tests/renders/test_pictures.py draws one",
}


def test_every_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of the page, in one empty folder: a later command may need an earlier one."""
    monkeypatch.chdir(tmp_path)
    for command, _ in pages.commands(PAGE):
        if command not in NOT_RUN:
            assert pages.run(command) == 0, command


def test_what_is_not_run_is_on_the_page() -> None:
    assert set(NOT_RUN) <= {command for command, _ in pages.commands(PAGE)}


def test_the_first_screen_has_the_picture_and_both_tables() -> None:
    text = pages.text(PAGE)
    assert '<img src="renders/architecture.png" width="900"' in text
    for part in ("quick", "results"):
        assert text.count(f"<!-- {part}:begin -->") == text.count(f"<!-- {part}:end -->") == 1
