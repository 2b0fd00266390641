"""The figure of speed.json: step time and memory against length, decoding against context."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from prism.compare.plots import COLOURS, DASHES

MIB = 2**20


def speed_figure(speed: dict[str, Any]) -> Figure:
    """Three panels, logarithmic."""
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    step, memory, decode = figure.subplots(1, 3)
    single = [row for row in speed["steps"] if row["batch"] == 1]
    _panel(step, "Training step, one sequence", single, "length", "median", 1e3)
    _label(step, "length T", "ms, forward + backward")
    _panel(memory, "Peak memory of a step", speed["memory"], "length", "bytes", 1 / MIB)
    _label(memory, "length T", "MiB above the idle process")
    _panel(decode, "Decoding one token", speed["decode"], "context", "median", 1e3)
    _label(decode, "tokens read before", "ms per token")
    handles, names = step.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper left", ncols=len(names))
    return figure


def _panel(ax: Axes, title: str, rows: list[dict[str, Any]], x: str, y: str, factor: float) -> None:
    ax.set_title(title)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    known = [row for row in rows if row[y]]
    for model in dict.fromkeys(row["model"] for row in known):
        mine = [row for row in known if row["model"] == model]
        ax.plot(
            [row[x] for row in mine],
            [row[y] * factor for row in mine],
            color=COLOURS.get(model, "#333333"),
            linestyle=DASHES.get(model, "-"),
            linewidth=2.0 if model == "prism" else 1.5,
            marker="o",
            markersize=3.5,
            label=model,
        )
    _ticks(ax, (row[x] for row in known))


def _ticks(ax: Axes, xs: Iterable[int]) -> None:
    places = sorted(set(xs))
    ax.set_xticks(places, [f"{x // 1024}k" if x >= 1024 else str(x) for x in places])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, position: f"{value:,g}"))
    ax.yaxis.set_minor_formatter(FuncFormatter(lambda value, position: ""))


def _label(ax: Axes, xlabel: str, ylabel: str) -> None:
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
