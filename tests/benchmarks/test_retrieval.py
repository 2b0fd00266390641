"""PRISM asking a tape: measured by one command, judged seed by seed on its page."""

from __future__ import annotations

import json

import pytest

from benchmarks.retrieval import page as retrieval_page
from benchmarks.retrieval.__main__ import main


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What a quick run writes."""
    path = tmp_path_factory.mktemp("retrieval") / "retrieval.json"
    assert main(["--quick", "--out", str(path)]) == 0
    return json.loads(path.read_text())


def test_a_run_holds_answers_probes_and_cost(content: dict) -> None:
    (run,) = content["runs"]
    assert {row["metric"] for row in run["rows"]} >= set(retrieval_page.ASKS)
    assert run["cost"]["parameters added"] > 0
    assert content["meta"]["profile"] == "quick"


def test_what_three_steps_cannot_learn_is_missed_and_what_needs_no_learning_is_met(
    content: dict,
) -> None:
    verdicts = {bar.number: bar.verdict for bar in retrieval_page.retrieval_bars(content["runs"])}
    assert verdicts["R1"] == "missed"
    assert verdicts["R5"] == verdicts["R6"] == "met"


def test_one_bad_seed_misses_a_bar(content: dict) -> None:
    (run,) = content["runs"]
    good = json.loads(json.dumps(run))
    for row in good["rows"]:
        row["value"] = 1.0
    bar = retrieval_page.retrieval_bars([good, good])[0]
    assert bar.met
    assert not retrieval_page.retrieval_bars([good, run])[0].met


def test_the_page_says_what_the_old_figure_was(content: dict) -> None:
    text = "\n\n".join(retrieval_page.sections(content))
    assert "1/√8" in text
    assert "theory 0.3536" in text
    assert "0.03" in text  # the first design's share of right answers
