"""The part of RESULTS.md about facts in SmolLM2: bars, every number of facts, controls, cost."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.facts.bars import facts_bars, over_seeds
from benchmarks.page import bars
from benchmarks.page.markdown import interval, table

TAPE = "tape"
COST = {  # what it is called here, and how it is shown
    "seconds per fact": ("bind, ms a fact", 1000.0, "{:.3f}"),
    "register bytes per fact": ("register, bytes a fact", 1.0, "{:,.0f}"),
    "ms per token, bare": ("one token without a tape, ms", 1.0, "{:.1f}"),
    "ms per token added": ("what a tape adds to it, ms", 1.0, "{:.2f}"),
    "share of time added": ("the same, %", 100.0, "{:.2f}"),
}


def sections(content: dict[str, Any]) -> list[str]:
    """Paragraphs and tables, from the content of facts.json."""
    runs, meta = content["runs"], content["meta"]
    found, settings = facts_bars(content), meta["settings"]
    met = sum(bar.met is True for bar in found)
    judged = sum(bar.met is not None for bar in found)
    return [
        "![Shares by number of facts](benchmarks/results/facts.png)",
        f"{settings['model']}, frozen; facts of open tables with their objects exchanged, bound "
        f"to it without a gradient. Up to {settings['asked']} facts of a tape are asked about, "
        f"{settings['text tokens']:,} tokens of each kind of unrelated text are read. Relations "
        "take turns while their tables last: with many facts most are the countries of cities. "
        f"Seeds: {_seeds(runs)}. {meta['platform']}, torch {meta['torch']}, threads: "
        f"{meta['threads']}. "
        f"Bars on the mean over seeds, {met} of {judged} judged ones met:",
        table(bars.HEAD, [bar.cells for bar in found], left=4),
        "Everything measured, by number of facts, mean and 95% interval over seeds; near misses "
        "(*the former capital of*) are reported as they are:",
        _metrics(runs, [TAPE], lambda metric: metric not in COST),
        "The same questions without the tape, or with something else in its place:",
        _metrics(runs, _controls(runs), lambda _: True),
        "What it costs, in CPU time:",
        _cost(runs),
        "How each figure was measured, and on how many cases a seed at the most:",
        _protocols(runs),
    ]


def _seeds(runs: list[dict[str, Any]]) -> str:
    return ", ".join(f"{sum(r['facts'] == n for r in runs)} at {n:,} facts" for n in _numbers(runs))


def _numbers(runs: list[dict[str, Any]]) -> list[int]:
    return sorted({run["facts"] for run in runs})


def _rows(runs: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    return (row for run in runs for row in run["rows"])


def _controls(runs: list[dict[str, Any]]) -> list[str]:
    found = dict.fromkeys(row["control"] for row in _rows(runs))
    return [control for control in found if control != TAPE]


def _metrics(runs: list[dict[str, Any]], controls: list[str], wanted: Any) -> str:
    """One line per metric of each control, one column per number of facts."""
    numbers, lines = _numbers(runs), []
    for control in controls:
        metrics = dict.fromkeys(r["metric"] for r in _rows(runs) if r["control"] == control)
        for metric in filter(wanted, metrics):
            name = metric if control == TAPE else f"{control}: {metric}"
            lines.append([name, *(_cell(runs, n, metric, control) for n in numbers)])
    return table(["share", *(f"{n:,} facts" for n in numbers)], lines)


def _cell(runs: list[dict[str, Any]], facts: int, metric: str, control: str) -> str:
    value = over_seeds(runs, facts, metric, control)
    return "–" if value is None else interval(value, "{:.4f}")


def _cost(runs: list[dict[str, Any]]) -> str:
    numbers, lines = _numbers(runs), []
    for metric, (name, factor, form) in COST.items():
        found = [over_seeds(runs, n, metric) for n in numbers]
        cells = ["–" if v is None else form.format(factor * v.mean) for v in found]
        lines.append([name, *cells])
    return table(["", *(f"{n:,} facts" for n in numbers)], lines)


def _protocols(runs: list[dict[str, Any]]) -> str:
    """One line per figure of the tape."""
    found: dict[str, dict[str, Any]] = {}
    for row in _rows(runs):
        if row["control"] == TAPE and row["count"] >= found.get(row["metric"], row)["count"]:
            found[row["metric"]] = row
    return table(
        ["figure", "protocol", "cases"],
        [[metric, row["protocol"], f"{row['count']:,}"] for metric, row in found.items()],
        left=2,
    )
