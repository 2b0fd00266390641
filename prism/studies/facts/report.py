"""Results of the protocol as a table and a plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from matplotlib.figure import Figure
from rich.table import Table

from prism.page import plot_style

BARS = {
    20: {},
    100: {
        "written": 0.99,
        "unseen": 0.90,
        "unseen: no shared word": 0.50,
        "unwritten unchanged": 0.98,
        "text unchanged: prose": 0.999,
        "text unchanged: names": 0.999,
        "unlisted unchanged": 0.90,
        "one typo": 0.90,
        "alias": 0.90,
    },
    1000: {
        "written": 0.98,
        "unseen": 0.85,
        "unwritten unchanged": 0.97,
        "text unchanged: prose": 0.995,
        "text unchanged: names": 0.995,
        "unlisted unchanged": 0.85,
    },
    10_000: {"written": 0.95},
}
PLOTTED = (
    "written",
    "unseen",
    "unseen: no shared word",
    "unwritten unchanged",
    "unlisted unchanged",
    "text unchanged: names",
)


def averaged(runs: Sequence[dict[str, Any]]) -> dict[tuple[str, str], dict[int, list[float]]]:
    """Values over seeds by (control, metric) and number of facts, in the order measured."""
    values: dict[tuple[str, str], dict[int, list[float]]] = {}
    for run in runs:
        for row in run["rows"]:
            places = values.setdefault((row["control"], row["metric"]), {})
            places.setdefault(run["facts"], []).append(row["value"])
    return values


def table(runs: Sequence[dict[str, Any]]) -> Table:
    """One line per metric and control, one column per number of facts; a missed bar is marked."""
    sizes = sorted({run["facts"] for run in runs})
    shown = Table(title="facts bound to a frozen language model")
    shown.add_column("control")
    shown.add_column("metric")
    for size in sizes:
        shown.add_column(f"N = {size:,}", justify="right")
    for (control, metric), values in averaged(runs).items():
        digits = ".6f" if "false" in metric or "second" in metric else ".4g"
        cells = []
        for size in sizes:
            mean = fmean(values[size]) if size in values else None
            bar = BARS.get(size, {}).get(metric) if control == "tape" else None
            cell = "" if mean is None else f"{mean:{digits}}"
            if mean is not None and bar is not None:
                cell += f" {'>=' if mean >= bar else '<'} {bar:g}"
            cells.append(cell)
        shown.add_row(control, metric, *cells)
    return shown


def plot(runs: Sequence[dict[str, Any]], path: Path) -> None:
    """Write the main metrics against the number of facts as a PNG, one faint point per seed."""
    values = averaged(runs)
    with plot_style(**{"axes.grid": False}):
        figure = Figure(figsize=(7, 4.2), layout="tight")
        axes = figure.subplots()
        for metric in PLOTTED:
            points = values.get(("tape", metric), {})
            sizes = sorted(points)
            means = [sum(points[n]) / len(points[n]) for n in sizes]
            (line,) = axes.plot(sizes, means, marker="o", label=metric)
            for n in sizes:
                axes.plot([n] * len(points[n]), points[n], ".", color=line.get_color(), alpha=0.3)
        axes.set_xscale("log")
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("facts bound")
        axes.set_ylabel("share")
        axes.legend(fontsize=8, loc="lower left")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)
