"""The Python on every page runs as it stands, and prints what the page is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs import pages

NEEDS_RUNS = "TRAINING.md"  # its Python loads what its commands write: test_training.py
PAGES = [p for p in pages.pages() if pages.blocks(p, "python") and p != NEEDS_RUNS]
PRINTED = {  # part of what is printed, and how often it must be there
    "docs/GROWTH.md": {"the same function": 1, "None": 20},  # the blocks of 350m that are new
    "docs/MODULAR.md": {" with neural, memory: ": 1},
}


@pytest.mark.long
@pytest.mark.parametrize("page", PAGES)
def test_the_python_blocks_run_one_after_the_other(
    page: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    pages.run_python(page)
    printed = capsys.readouterr().out
    for part, times in PRINTED.get(page, {}).items():
        assert printed.count(part) == times, printed
