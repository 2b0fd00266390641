"""results.json: whole at every moment, and never a run twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prism.compare.results import Results
from tests.compare.fakes import example, job, run


def test_a_run_is_on_disk_as_soon_as_it_is_added(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.add(run(job()))
    assert [r["task"] for r in json.loads((tmp_path / "results.json").read_text())["runs"]] == [
        "copy"
    ]


def test_finished_runs_are_not_missing_and_failed_ones_are(tmp_path: Path) -> None:
    done, failed, new = job(), job(seed=1), job(seed=2)
    results = Results(tmp_path)
    results.add(run(done))
    results.add(run(failed, error="the worker ended with code -9"))
    assert Results(tmp_path).missing([done, failed, new, new]) == [failed, new]


@pytest.mark.parametrize(
    "change",
    [
        {"task": "parity"},
        {"model": "gdn"},
        {"seed": 1},
        {"lr": 0.01},
        {"steps": 11},
        {"batch_size": 5},
        {"evaluation": 9},
        {"corpus": "book.txt"},
        {"warm_up": 0.2},
        {"dropout": 0.1},
    ],
)
def test_all_that_changes_a_result_makes_another_run(tmp_path: Path, change: dict) -> None:
    results = Results(tmp_path)
    results.add(run(job()))
    assert results.missing([job(**change)]) == [job(**change)]


def test_the_phase_does_not_make_another_run(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.add(run(job(phase="single", rate_source="given")))
    assert results.missing([job(phase="final", rate_source="swept")]) == []


def test_a_repeated_run_replaces_the_failed_one(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.add(run(job(), error="loss is nan"))
    results.add(run(job()))
    assert [r["error"] for r in results.runs] == [None]


def test_numbers_that_json_does_not_know_are_refused(tmp_path: Path) -> None:
    results = Results(tmp_path)
    with pytest.raises(ValueError, match="not JSON compliant"):
        results.add(run(job(), seconds=float("nan")))


@pytest.mark.parametrize("text", ["{", "[]", '{"meta": {}}', '{"meta": {}, "runs": [{}]}'])
def test_a_file_that_is_no_results_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(ValueError, match=r"results\.json: not a results file"):
        Results(tmp_path)


def test_examples_are_kept_beside_the_results(tmp_path: Path) -> None:
    results = Results(tmp_path)
    assert results.example(run(job())) is None
    results.add_example(run(job()), example())
    assert results.example(run(job())) == example()
    assert results.example(run(job(lr=1e-2))) is None
    assert results.example(run(job(dropout=0.1))) is None
