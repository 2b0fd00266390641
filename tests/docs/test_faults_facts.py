"""Every row of docs/FAULTS_FACTS.md names a test, and the named tests exist."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT, functions, text

PAGE = text("docs/FAULTS_FACTS.md")
ROWS = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if re.match(r"\| \d", line)]


def named(test: str) -> list[tuple[str, str]]:
    """Files and functions in the last column; no function where a whole file is meant."""
    return re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", test)


def test_every_row_of_the_table_of_faults_is_there_once() -> None:
    names = [row[0] for row in ROWS]
    assert len(names) == len(set(names))
    lettered = {"1b", "1d", "2b", "3c", "4b", "9b", "9c", "11c", "12b"}
    assert set(names) == {str(n) for n in range(1, 38)} | lettered


def test_every_row_names_what_was_done_and_tests_that_exist() -> None:
    for row in ROWS:
        assert len(row) == 4, row
        assert all(row), row
        assert named(row[3]), row
        for file, function in named(row[3]):
            assert (ROOT / file).is_file(), file
            if function:
                assert function in functions(file)
