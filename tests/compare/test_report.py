"""The report holds every section, fetches nothing, and is made from files alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from prism.compare.report import write_report
from prism.compare.results import Results
from prism.compare.summary import markdown_table, summarise
from tests.compare.fakes import example, job, run


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Two tasks, two models, three seeds; PRISM wins one task and loses a seed on the other."""
    results = Results(tmp_path)
    results.meta = {"profile": "full", "command": "python -m prism.train --full", "commit": None}
    for seed in range(3):
        for task in ("copy", "parity"):
            error = "loss is nan at step 2 of 10" if (task, seed) == ("parity", 1) else None
            ours = job(task=task, seed=seed)
            results.add(run(ours, test=0.9 + 0.01 * seed, error=error))
            results.add(run(job(task=task, seed=seed, model="gdn"), test=0.5 + 0.01 * seed))
            results.add_example(run(ours), example())
    return results


def test_every_section_is_there(results: Results) -> None:
    text = write_report(results).read_text()
    for heading in (
        "Results",
        "PRISM minus baseline",
        "What it took",
        "Learning curves",
        "Score against length",
        "Inside PRISM",
        "How it was made",
    ):
        assert heading in text
    assert text.count("<svg") == 2 + 2 * 3
    assert "full, 3 seeds" in text
    assert "failed: parity/prism, seed 1" in text


def test_nothing_is_fetched(results: Results) -> None:
    text = write_report(results).read_text()
    assert "http" not in text
    assert "<script" not in text
    references = re.findall(r'(?:src|href)="([^"]*)"', text) + re.findall(r"url\(([^)]*)\)", text)
    assert all(ref.startswith(("#", "data:")) for ref in references)
    assert len(text) < 2_000_000


def test_references_inside_the_page_lead_somewhere(results: Results) -> None:
    text = write_report(results).read_text()
    names = re.findall(r'\bid="([^"]+)"', text)
    wanted = set(re.findall(r'href="#([^"]+)"', text)) | set(re.findall(r"url\(#([^)]+)\)", text))
    assert len(names) == len(set(names))
    assert wanted <= set(names)


def test_the_menu_offers_only_sections_that_are_there(tmp_path: Path) -> None:
    results = Results(tmp_path)
    one_length = {"loss": 0.5, "accuracy": 0.5, "by_length": {"16": 0.5}}
    results.add(run(job()) | {"test": one_length})
    text = write_report(results).read_text()
    assert 'href="#curves"' in text
    assert 'href="#lengths"' not in text
    assert 'href="#inside"' not in text


def test_winners_are_marked_only_where_the_interval_says_so(results: Results) -> None:
    """copy is won at both lengths; parity is not, because a seed failed."""
    text = write_report(results).read_text()
    assert re.findall(r'<td class="win">([^<]*)</td>', text) == ["0.910 ±0.025", "0.455 ±0.012"]


def test_the_markdown_table_says_the_same(results: Results) -> None:
    table = markdown_table(summarise(results.runs))
    assert "| copy | 16 | accuracy ↑ | 0.1 | **0.910 ±0.025** | 0.510 ±0.025 |" in table
    assert "(2 of 3) | 0.510 ±0.025 |" in table


def test_a_folder_with_failures_only_still_has_a_report(tmp_path: Path) -> None:
    results = Results(tmp_path)
    nothing = {"parameters": None, "state_bytes": None, "tokens_per_second": None}
    results.add(run(job(), error="the worker ended with code -9", **nothing))
    assert "failed" in write_report(results).read_text()


def test_two_settings_of_one_task_are_told_apart(tmp_path: Path) -> None:
    results = Results(tmp_path)
    for steps in (10, 20):
        results.add(run(job(steps=steps)))
        results.add_example(run(job(steps=steps)), example())
    text = write_report(results).read_text()
    assert "<h3>copy, 10 steps of 4</h3>" in text
    assert "<h3>copy, 20 steps of 4</h3>" in text
    names = re.findall(r'\bid="([^"]+)"', text)
    assert len(names) == len(set(names))


def test_text_cannot_break_the_page(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.meta = {"command": "--corpus '<b>&.txt'"}
    results.add(run(job()))
    assert "&lt;b&gt;&amp;.txt" in write_report(results).read_text()
