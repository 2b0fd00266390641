"""Runs of ``python -m prism.ingest`` inside this process."""

from __future__ import annotations

from typing import Any

import pytest

from prism.holo import HoloTape
from prism.ingest import main

CAPITALS = "key,value\ncapital of Freedonia,Fredville\ncapital of Sylvania,Sylvburg\n"


def refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line with which a command ends in code 2."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(argv)
    captured = capsys.readouterr()
    assert stop.value.code == 2
    assert captured.out == ""
    *before, line = captured.err.splitlines()
    assert not any("Traceback" in text for text in before)
    assert line.startswith("prism.ingest: ")
    return line


def made(*flags: str, file: str = "facts.csv", tape: str = "t.safetensors") -> HoloTape:
    assert main([file, "--tape", tape, *flags]) == 0
    return HoloTape.load(tape)


def values(tape: HoloTape) -> dict[Any, Any]:
    return {fact.key: fact.value for fact in tape.facts()}
