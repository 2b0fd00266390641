"""Figure of speed.json: step time and memory against length, decoding against context."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from benchmarks.page.figure import legend_above, model_line, panels, plain_numbers

MIB = 2**20


def speed_figure(speed: dict[str, Any]) -> Figure:
    """Three panels, logarithmic."""
    figure, (step, memory, decode) = panels(11, 3.6, 3)
    single = [row for row in speed["steps"] if row["batch"] == 1]
    _panel(step, "Training step, one sequence", single, "length", "median", 1e3)
    step.set(xlabel="length T", ylabel="ms, forward + backward")
    _panel(memory, "Peak memory of a step", speed["memory"], "length", "bytes", 1 / MIB)
    memory.set(xlabel="length T", ylabel="MiB above the idle process")
    _panel(decode, "Decoding one token", speed["decode"], "context", "median", 1e3)
    decode.set(xlabel="tokens read before", ylabel="ms per token")
    legend_above(figure, step)
    return figure


def _panel(ax: Axes, title: str, rows: list[dict[str, Any]], x: str, y: str, factor: float) -> None:
    ax.set_title(title)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    known = [row for row in rows if row[y]]
    for model in dict.fromkeys(row["model"] for row in known):
        mine = [row for row in known if row["model"] == model]
        model_line(ax, model, [row[x] for row in mine], [row[y] * factor for row in mine])
    places = sorted({row[x] for row in known})
    ax.set_xticks(places, [f"{at // 1024}k" if at >= 1024 else str(at) for at in places])
    ax.xaxis.set_minor_locator(NullLocator())
    plain_numbers(ax.yaxis, "{:,g}")
    ax.yaxis.set_minor_formatter(FuncFormatter(lambda value, position: ""))
