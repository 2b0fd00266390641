"""Acceptance criteria of PRISM with a HoloTape: each must hold on every seed of retrieval.json."""

from __future__ import annotations

from typing import Any

from benchmarks.page.criterion import Criterion
from prism.studies.retrieval.report import BARS

ASKS = {
    "answered": "facts never seen in training are answered ≥ 0.95 at 100 facts",
    "refused, its subject is known": "absent facts of known subjects are refused ≥ 0.95",
    "refused, its subject is not": "absent facts of other subjects are refused ≥ 0.95",
    "logits bit-identical, gate closed": "logits are unchanged where no fact is injected: 1",
    "parameters unchanged": "the weights are those before: 1",
    "register as if never told": "forgetting leaves the register of a tape without the fact: 1",
}


def retrieval_criteria(content: dict[str, Any] | None) -> list[Criterion]:
    """One criterion per figure that has a limit, with its lowest and highest seed."""
    criteria = []
    for i, (metric, asks) in enumerate(ASKS.items() if content else ()):
        values = values_of(content["runs"], metric)
        reached = " to ".join(dict.fromkeys(f"{x:.4g}" for x in (min(values), max(values))))
        criteria.append(Criterion(f"R{i + 1}", asks, reached, min(values) >= BARS[metric]))
    return criteria


def values_of(runs: list[dict[str, Any]], metric: str) -> list[float]:
    """One value per seed."""
    return [row["value"] for run in runs for row in run["rows"] if row["metric"] == metric]
