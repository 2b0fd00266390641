"""The tables of docs/DISTILL.md are those of its JSON file."""

from __future__ import annotations

import pytest

from benchmarks.distill import page
from benchmarks.page.command import RESULTS


def test_the_page_is_what_the_file_gives() -> None:
    text = page.PAGE.read_text("utf-8")
    results = page.contents([RESULTS / "distill.json", RESULTS / "students.json"])
    assert page.filled(text, results) == text


def test_a_part_that_is_missing_says_so_and_a_page_without_a_block_is_refused() -> None:
    text = page.PAGE.read_text("utf-8")
    assert page.filled(text, {}).count("Not measured yet.") == len(page.BLOCKS)
    with pytest.raises(ValueError, match="block codecs stands 0 times"):
        page.filled("nothing", {})
