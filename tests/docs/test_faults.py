"""docs/FAULTS.md: every row has its tests, and they are there."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import functions, text

PAGE = "docs/FAULTS.md"
ROWS = [line for line in text(PAGE).splitlines() if line.startswith("| ")]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text(PAGE))))
NUMBERS = {
    "A": (1, 3, 4, 5, 6, 7, 9, 10, 12, 13),
    "B": range(1, 8),
    "C": (1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12),
    "D": range(1, 5),
    "": (1, 2, 3, 5, 6, 7, 9, 10, 11, 13, 15, 16, 19, 20, 21, 22, 23, 25, 27, 28),  # the model's
}
REPORTED = [f"{part}{n}" for part, numbers in NUMBERS.items() for n in numbers]


@pytest.mark.parametrize(("file", "test"), NAMED, ids=[f"{f}::{t}" for f, t in NAMED])
def test_a_test_that_the_page_names_is_there(file: str, test: str) -> None:
    assert test in functions(file)


def test_every_row_names_a_test_and_nothing_that_is_none() -> None:
    rows = [row for row in ROWS if not row.startswith(("| | ", "| fault"))]
    assert len(rows) > len(REPORTED)
    for row in rows:
        assert re.search(r"`tests/[\w/]+\.py::test_\w+`", row), row
        for name in re.findall(r"`(tests/[^`]+)`", row):
            assert tuple(name.split("::")) in NAMED, name


def test_no_row_of_the_reports_is_missing() -> None:
    first = [row.split("|")[1].strip() for row in ROWS]
    assert not [row for row in REPORTED if row not in first]
