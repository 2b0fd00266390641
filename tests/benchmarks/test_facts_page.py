"""Facts in a language model: bars are judged on three seeds, and the page shows what there is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.facts import page as facts_page
from benchmarks.facts.bars import AT_MOST, facts_bars, over_seeds
from benchmarks.page.document import Evidence, results_page
from prism.studies.facts.measures import FactsRow
from prism.studies.facts.report import BARS

META = {"profile": "full", "platform": "a machine", "torch": "2.13", "threads": 1}
SETTINGS = {"model": "a model", "asked": 50, "text tokens": 8192, "parameters": "abc"}


def run(facts: int, seed: int, **values: float) -> dict[str, Any]:
    """A tape on which everything is as good as the bars ask, but for ``values``."""
    shares = BARS[1000] | BARS[100] | {metric: high for metric, (high, _) in AT_MOST.items()}
    rows = [FactsRow(m, values.get(m, v), 40, f"how {m}") for m, v in (shares | values).items()]
    rows.append(FactsRow("written", 0.1, 20, "how", "no tape"))
    rows = [row.to_dict() for row in rows]
    return {"facts": facts, "seed": seed, "rows": rows, "parameters after": "abc"}


def content(*runs: dict[str, Any], profile: str = "full") -> dict[str, Any]:
    return {"meta": META | {"profile": profile, "settings": SETTINGS}, "runs": list(runs)}


def verdicts(*runs: dict[str, Any], **how: str) -> dict[str, str]:
    return {bar.asks: bar.verdict for bar in facts_bars(content(*runs, **how))}


def test_what_reaches_every_bar_meets_those_that_were_measured():
    found = verdicts(*(run(100, seed) for seed in range(3)))
    assert {v for asks, v in found.items() if asks.startswith("100 facts")} == {"met"}
    assert {v for asks, v in found.items() if asks.startswith(("1,000", "10,000"))} == {"–"}


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("unseen", 0.89),
        ("forgotten, still answered", 0.01),
        ("share of time added", 0.06),
        ("seconds per fact", 0.0051),
    ],
)
def test_a_mean_on_the_wrong_side_misses_one_bar(metric, value):
    found = facts_bars(content(*(run(100, seed, **{metric: value}) for seed in range(3))))
    assert sum(bar.met is False for bar in found) == 1


def test_two_seeds_or_a_quick_run_judge_nothing_that_needs_three():
    two = verdicts(run(100, 0), run(100, 1))
    quick = verdicts(*(run(100, seed) for seed in range(3)), profile="quick")
    for found in (two, quick):
        assert {v for asks, v in found.items() if asks.startswith("100 facts")} == {"not judged"}


def test_a_changed_parameter_is_a_miss():
    changed = run(100, 1) | {"parameters after": "other"}
    assert facts_bars(content(run(100, 0), changed))[-1].met is False
    assert facts_bars(content(run(100, 0)))[-1].met is True


def test_values_of_other_controls_and_numbers_are_kept_apart():
    runs = [run(100, 0, written=0.8), run(100, 1, written=0.9), run(1000, 0, written=0.5)]
    assert over_seeds(runs, 100, "written").mean == pytest.approx(0.85)
    assert over_seeds(runs, 100, "written", "no tape").mean == pytest.approx(0.1)
    assert over_seeds(runs, 20, "written") is None


def test_the_page_holds_bars_figures_controls_cost_and_protocols():
    runs = [run(100, seed, written=0.97 + 0.01 * seed) for seed in range(3)] + [run(1000, 0)]
    text = "\n\n".join(facts_page.sections(content(*runs)))
    assert "missed" in text
    assert "| written | 0.9800 [0.9552, 1.0048] | 0.9900 (one seed) |" in text
    assert "| no tape: written | 0.1000 [0.1000, 0.1000] |" in text
    assert "| bind, ms a fact | 5.000 | 5.000 |" in text
    assert "| unseen | how unseen | 40 |" in text
    assert "3 at 100 facts, 1 at 1,000 facts" in text


def test_without_the_file_the_page_names_the_command(tmp_path):
    text = results_page(Evidence.read(tmp_path))
    assert "`benchmarks/results/facts.json` comes from `python -m prism.eval_facts" in text


def test_the_file_becomes_a_chapter(tmp_path):
    (tmp_path / "facts.json").write_text(json.dumps(content(run(100, 0))))
    text = results_page(Evidence.read(tmp_path))
    assert "## Facts in SmolLM2" in text
    assert "facts.json` comes from" not in text
