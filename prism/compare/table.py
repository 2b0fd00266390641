"""The table of results, for the terminal and as Markdown: one line per task and length."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from prism.compare.evaluation import HIGHER_IS_BETTER
from prism.compare.statistics import Estimate
from prism.compare.summary import TaskSummary, label, model_names

UNITS = {"accuracy": "accuracy", "bits_per_byte": "bits/byte"}


def unit(metric: str) -> str:
    """The metric and which way is better."""
    return f"{UNITS[metric]} {'↑' if HIGHER_IS_BETTER[metric] else '↓'}"


def cell(summary: TaskSummary, model: str, length: int) -> str:
    """One number as text: mean, half interval, and how many seeds if some failed."""
    found = summary.models.get(model)
    if found is None:
        return "–"
    value = found.estimate(length)
    if value is None:
        return "failed"
    text = number(value)
    return text if value.n == len(found.runs) else f"{text} ({value.n} of {len(found.runs)})"


def number(value: Estimate, sign: str = "") -> str:
    """``0.987 ±0.004``."""
    text = f"{value.mean:{sign}.3f}".replace("-", "−")
    return text if value.half_width is None else f"{text} ±{value.half_width:.3f}"


def lines(summaries: list[TaskSummary]) -> list[tuple[TaskSummary, int]]:
    """The (task, length) of each line."""
    return [(summary, length) for summary in summaries for length in summary.headline_lengths]


def terminal_table(meta: dict[str, Any], summaries: list[TaskSummary]) -> Table:
    """A rich table; the winner of a line, if there is one, is bold and marked."""
    title = f"Test results ({label(meta, summaries)})"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for name in ("task", "T", "metric", "chance"):
        side = "right" if name in ("T", "chance") else "left"
        table.add_column(name, justify=side, no_wrap=True)
    models = model_names(summaries)
    for model in models:
        table.add_column(model, justify="right")
    for summary, length in lines(summaries):
        best = summary.winner(length)
        first = length == summary.headline_lengths[0]
        texts = [
            Text(f"★ {cell(summary, m, length)}", style="bold green")
            if m == best
            else Text(cell(summary, m, length))
            for m in models
        ]
        table.add_row(
            summary.title if first else "",
            str(length),
            unit(summary.metric),
            f"{summary.run['chance']:.3g}",
            *texts,
        )
    return table


def markdown_table(summaries: list[TaskSummary]) -> str:
    """The same as GitHub Markdown; winners bold."""
    models = model_names(summaries)
    head = ["task", "T", "metric", "chance", *models]
    rows = [head, ["---"] * 4 + ["---:"] * len(models)]
    for summary, length in lines(summaries):
        best = summary.winner(length)
        cells = [cell(summary, m, length) for m in models]
        cells = [f"**{c}**" if m == best else c for m, c in zip(models, cells, strict=True)]
        name, chance = summary.title, f"{summary.run['chance']:.3g}"
        rows.append([name, str(length), unit(summary.metric), chance, *cells])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"
