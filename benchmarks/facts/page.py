"""Chapter on facts in SmolLM2: every figure by number of facts, controls, cost, protocols."""

from __future__ import annotations

from statistics import fmean
from typing import Any

from benchmarks.page.markdown import columns, interval, listed, pivot

TAPE = "tape"
COST = {  # what it is called here, and how it is shown
    "seconds per fact": ("bind, ms a fact", 1000.0, "{:.3f}"),
    "register bytes per fact": ("register, bytes a fact", 1.0, "{:,.0f}"),
    "ms per token, bare": ("one token without a tape, ms", 1.0, "{:.1f}"),
    "ms per token added": ("what a tape adds to it, ms", 1.0, "{:.2f}"),
    "share of time added": ("the same, %", 100.0, "{:.2f}"),
}


def facts_sections(content: dict[str, Any]) -> list[str]:
    """Paragraphs and tables, from the content of facts.json."""
    runs, meta = content["runs"], content["meta"]
    settings = meta["settings"]
    rows = [{**row, "facts": run["facts"]} for run in runs for row in run["rows"]]
    tape = [row for row in rows if row["control"] == TAPE]
    cost = [row for row in tape if row["metric"] in COST]
    controls = list(dict.fromkeys(row["control"] for row in rows))
    others = sorted(
        (row for row in rows if row["control"] != TAPE), key=lambda r: controls.index(r["control"])
    )
    numbers = [run["facts"] for run in runs]
    seeds = listed(f"{numbers.count(n)} at {n:,} facts" for n in sorted(set(numbers)))
    largest = {row["metric"]: row for row in sorted(tape, key=lambda row: row["count"])}
    return [
        "![Shares by number of facts](benchmarks/results/facts.png)",
        f"{settings['model']}, frozen; facts of open tables with their objects exchanged, bound "
        f"to it without a gradient. Up to {settings['asked']} facts of a tape are asked about, "
        f"{settings['text tokens']:,} tokens of each kind of unrelated text are read. Relations "
        "take turns while their tables last: with many facts most are the countries of cities. "
        f"Seeds: {seeds}. {meta['platform']}, torch {meta['torch']}, threads: "
        f"{meta['threads']}. Criteria are judged on the mean over at least three seeds.",
        "Everything measured, by number of facts, mean and 95% interval over seeds; near misses "
        "(*the former capital of*) are reported as they are:",
        _by_facts([row for row in tape if row["metric"] not in COST], "{metric}", "share"),
        "The same questions without the tape, or with something else in its place:",
        _by_facts(others, "{control}: {metric}", "share"),
        "Cost, in CPU time:",
        pivot(
            sorted(cost, key=lambda row: list(COST).index(row["metric"])),
            lambda row: COST[row["metric"]][0],
            "{facts:,} facts",
            _cost,
            order=lambda row: row["facts"],
        ),
        "How each figure was measured, and on how many cases a seed at the most:",
        columns(
            [largest[metric] for metric in dict.fromkeys(row["metric"] for row in tape)],
            {"figure": "{metric}", "protocol": "{protocol}", "cases": "{count:,}"},
            2,
        ),
    ]


def _by_facts(rows: list[dict[str, Any]], line: str, corner: str) -> str:
    """One line per ``line``, one column per number of facts, intervals over seeds."""
    return pivot(
        rows,
        line,
        "{facts:,} facts",
        lambda rows: interval([row["value"] for row in rows], "{:.4f}"),
        corner,
        order=lambda row: row["facts"],
    )


def _cost(rows: list[Any]) -> str:
    _, factor, form = COST[rows[0]["metric"]]
    return form.format(factor * fmean(row["value"] for row in rows))
