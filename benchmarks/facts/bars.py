"""The bars of facts in a language model: what facts.json says about each, on the mean of its seeds.

A bar is judged on at least three seeds of the full protocol.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from benchmarks.page.bars import NOT_MEASURED, Bar
from benchmarks.page.markdown import interval
from prism.compare.statistics import Estimate, estimate
from prism.studies.facts.report import BARS

SEEDS = 3
AT_MOST = {
    "forgotten, still answered": (0.0, "forgotten facts are not answered: 0"),
    "seconds per fact": (0.005, "bind ≤ 5 ms a fact, no forward pass"),
    "share of time added": (0.05, "time added to a token that triggers nothing ≤ 5%"),
}
JUDGED_AT = 100  # facts, for the bars that name no number
ROUNDING = 1e-9  # a mean of equal numbers may differ from them in the last digit


def facts_bars(content: dict[str, Any]) -> list[Bar]:
    """The bars, from the content of facts.json; a quick run meets and misses none."""
    runs, found = content["runs"], []
    for facts, bars in BARS.items():
        for metric, low in bars.items():
            asks = f"{facts:,} facts: {metric} ≥ {low:g}"
            value = over_seeds(runs, facts, metric)
            found.append(
                _bar(f"S{len(found) + 1}", asks, value, lambda x, low=low: x >= low - ROUNDING)
            )
    for metric, (high, asks) in AT_MOST.items():
        value = over_seeds(runs, JUDGED_AT, metric)
        asks = f"{JUDGED_AT} facts: {asks}"
        found.append(
            _bar(f"S{len(found) + 1}", asks, value, lambda x, high=high: x <= high + ROUNDING)
        )
    found.append(_parameters(content, f"S{len(found) + 1}"))
    if content["meta"]["profile"] == "full":
        return found
    return [dataclasses.replace(bar, met=None) for bar in found]


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


def _bar(number: str, asks: str, value: Estimate | None, enough: Any) -> Bar:
    if value is None:
        return Bar(number, asks, NOT_MEASURED, None)
    met = enough(value.mean) if value.n >= SEEDS else None
    return Bar(number, asks, interval(value, "{:.4f}"), met)


def _parameters(content: dict[str, Any], number: str) -> Bar:
    before = content["meta"]["settings"]["parameters"]
    same = [run["parameters after"] == before for run in content["runs"]]
    asks = "hash of all parameters equal before and after"
    return Bar(number, asks, f"{sum(same)} of {len(same)} tapes", all(same))
