"""Acceptance criteria of facts in a language model, on the mean over the seeds of facts.json."""

from __future__ import annotations

from typing import Any

from benchmarks.page.criterion import Criterion, on_seeds
from prism.compare.statistics import Estimate, estimate
from prism.studies.facts.report import BARS

SEEDS = 3  # at least, of the full protocol, for a verdict
AT_MOST = {
    "forgotten, still answered": (0.0, "forgotten facts are not answered: 0"),
    "seconds per fact": (0.005, "bind ≤ 5 ms a fact, no forward pass"),
    "share of time added": (0.05, "time added to a token that triggers nothing ≤ 5%"),
}
JUDGED_AT = 100  # facts, for the criteria that name no number
ROUNDING = 1e-9  # a mean of equal numbers may differ from them in the last digit


def facts_criteria(content: dict[str, Any] | None) -> list[Criterion]:
    """One criterion per limit, and one on the weights of the model."""
    if content is None:
        return []
    asked = [
        (facts, metric, f"{metric} ≥ {low:g}", lambda e, low=low: e.mean >= low - ROUNDING)
        for facts, limits in BARS.items()
        for metric, low in limits.items()
    ]
    asked += [
        (JUDGED_AT, metric, asks, lambda e, high=high: e.mean <= high + ROUNDING)
        for metric, (high, asks) in AT_MOST.items()
    ]
    criteria = []
    for i, (facts, metric, asks, holds) in enumerate(asked):
        value = over_seeds(content["runs"], facts, metric)
        text = f"{facts:,} facts: {asks}"
        criteria.append(on_seeds(f"S{i + 1}", text, value, "{:.4f}", holds, SEEDS))
    before = content["meta"]["settings"]["parameters"]
    same = [run["parameters after"] == before for run in content["runs"]]
    asks = "hash of all parameters equal before and after"
    reached = f"{sum(same)} of {len(same)} tapes"
    return [*criteria, Criterion(f"S{len(asked) + 1}", asks, reached, all(same))]


def over_seeds(
    runs: list[dict[str, Any]], facts: int, metric: str, control: str = "tape"
) -> Estimate | None:
    """Mean and interval over the seeds that measured it; None if none did."""
    values = [
        row["value"]
        for run in runs
        if run["facts"] == facts
        for row in run["rows"]
        if (row["metric"], row["control"]) == (metric, control)
    ]
    return estimate(values) if values else None
