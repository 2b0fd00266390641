"""PRISM with a HoloTape: measured by one command, judged seed by seed."""

from __future__ import annotations

import json

import pytest

from benchmarks.retrieval.__main__ import main
from benchmarks.retrieval.criteria import ASKS, retrieval_criteria
from benchmarks.retrieval.page import retrieval_sections


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What a quick run writes."""
    path = tmp_path_factory.mktemp("retrieval") / "retrieval.json"
    assert main(["--quick", "--out", str(path)]) == 0
    return json.loads(path.read_text())


def test_a_run_holds_answers_probes_and_cost(content: dict) -> None:
    (run,) = content["runs"]
    assert {row["metric"] for row in run["rows"]} >= set(ASKS)
    assert run["cost"]["parameters added"] > 0
    assert content["meta"]["profile"] == "quick"


def test_what_three_steps_cannot_learn_is_missed_and_what_needs_no_learning_is_met(
    content: dict,
) -> None:
    verdicts = {c.number: c.verdict for c in retrieval_criteria(content)}
    assert verdicts["R1"] == "missed"
    assert verdicts["R5"] == verdicts["R6"] == "met"


def test_one_bad_seed_misses_a_criterion(content: dict) -> None:
    (run,) = content["runs"]
    good = json.loads(json.dumps(run))
    for row in good["rows"]:
        row["value"] = 1.0
    assert retrieval_criteria({"runs": [good, good]})[0].met
    assert not retrieval_criteria({"runs": [good, run]})[0].met


def test_numbers_of_the_page(content: dict) -> None:
    text = "\n\n".join(retrieval_sections(content))
    assert "theory 0.3536" in text  # 1/√8, of eight superposed vectors
    assert "| 0.03 |" in text  # the first design's share of right answers
