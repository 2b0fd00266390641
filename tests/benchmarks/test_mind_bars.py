"""The line of each acceptance bar of the knowledge base says what is missed and what is open."""

from __future__ import annotations

import pytest

from benchmarks.mind.bars import ABOUT, bars_table
from benchmarks.mind.page import mind_sections

LEDGER = {
    "together": {
        "lost": 0, "doubled": 0, "refused": 0, "longest_wait": 9.5, "per_second": 300.0,
    },
    "size": [{"rebuild_seconds": 2.5, "open_and_read_seconds": 0.1}],
    "erasure": {"files_while_open": ["a.db"], "files_after_a_restart": [], "texts_in_memory": 0},
}  # fmt: skip
SAID = {"part": "statements", "set": "three", "seed": 0, "precision": 0.95, "recall": 0.5}


def lines(**files) -> dict[str, list[str]]:
    shown = bars_table({"mind": None, "ledger": None, "serving": None} | files).splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in shown]
    return {bar: rest for bar, *rest in cells}


@pytest.mark.parametrize(
    ("bar", "met", "missed"),
    [
        ("M7", "4 of 5", "longest wait, s: 9.5 (<= 5)"),
        ("M8", "2 of 2", ""),
        ("M9", "2 of 3", "erased: files that hold it: 1 (<= 0)"),
        ("M3", "1 of 2", "recall: 0.5 (>= 0.75)"),
    ],
)
def test_a_bar_is_judged_by_its_figures(bar, met, missed):
    found = lines(ledger=LEDGER, mind={"runs": [SAID]})
    assert found[bar][1:] == [met, missed]


def test_every_bar_has_a_line_and_what_was_not_measured_is_never_met():
    found = lines()
    assert list(found) == list(ABOUT)
    assert all(met.startswith("0 of ") and "not measured" in missed for _, met, missed in
               found.values())  # fmt: skip


@pytest.mark.parametrize(
    ("sets", "said"),
    [(["six"], "The bars are judged on this set"), (["one", "six"], "Set six is the judged one")],
)
def test_a_chapter_says_whether_its_sets_had_been_seen(sets, said):
    content = {"meta": {"command": "eval"}, "runs": [SAID | {"set": name} for name in sets]}
    assert said in mind_sections(content)[0]
