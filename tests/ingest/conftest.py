"""A folder with a small table of facts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ingest.runs import CAPITALS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("facts.csv").write_text(CAPITALS)
    return tmp_path
