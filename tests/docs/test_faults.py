"""docs/FAULTS.md: every row has its tests, and they are there."""

from __future__ import annotations

import re
from functools import cache

import pytest

from tests.docs.pages import ROOT, text

PAGE = "docs/FAULTS.md"
ROWS = [line for line in text(PAGE).splitlines() if line.startswith("| ")]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text(PAGE))))
TRAINING = ["A1", "A3", "A4", "A5", "A6", "A7", "A9", "A10", "A12", "A13", "B1", "B2", "B3", "B4", "B5", "B6", "B7", "C1", "C2", "C3", "C4", "C6", "C7", "C8", "C9", "C10", "C11", "C12", "D1", "D2", "D3", "D4"]  # fmt: skip
MODEL = [
    "1",
    "2",
    "3",
    "5",
    "6",
    "7",
    "9",
    "10",
    "11",
    "13",
    "15",
    "16",
    "19",
    "20",
    "21",
    "22",
    "23",
    "25",
    "27",
    "28",
]


@cache
def functions(file: str) -> set[str]:
    """Names of the tests of a file."""
    return set(re.findall(r"^def (test_\w+)\(", (ROOT / file).read_text("utf-8"), re.MULTILINE))


@pytest.mark.parametrize(("file", "test"), NAMED, ids=[f"{f}::{t}" for f, t in NAMED])
def test_a_test_that_the_page_names_is_there(file: str, test: str) -> None:
    assert test in functions(file)


def test_every_row_names_a_test_and_nothing_that_is_none() -> None:
    rows = [row for row in ROWS if not row.startswith(("| | ", "| fault"))]
    assert len(rows) > len(TRAINING) + len(MODEL)
    for row in rows:
        assert re.search(r"`tests/[\w/]+\.py::test_\w+`", row), row
        for name in re.findall(r"`(tests/[^`]+)`", row):
            assert tuple(name.split("::")) in NAMED, name


def test_no_row_of_the_reports_is_missing() -> None:
    first = [row.split("|")[1].strip() for row in ROWS]
    assert not [row for row in (*TRAINING, *MODEL) if row not in first]
