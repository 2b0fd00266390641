"""Figures of results: one style, the same bytes every time, and the lines that models are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from prism.baselines import family
from prism.compare.plots import COLOURS, DASHES
from prism.page import plot_style


def draw(
    make: Callable[[dict[str, Any]], Figure], content: dict[str, Any], json_path: Path
) -> list[Path]:
    """Write what ``make`` draws of ``content`` beside ``json_path``, as SVG and PNG; the paths."""
    with plot_style(**{"svg.fonttype": "path", "svg.hashsalt": "prism"}):
        figure = make(content)
        paths = [json_path.with_suffix(suffix) for suffix in (".svg", ".png")]
        figure.savefig(paths[0], metadata={"Date": None})
        figure.savefig(paths[1], dpi=110)
    return paths


def panels(width: float, height: float, count: int) -> tuple[Figure, Sequence[Axes]]:
    """A figure of ``count`` panels side by side; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(1, count)


def model_line(ax: Axes, model: str, x: Sequence[float], y: Sequence[float]) -> None:
    """A line in the colour and dashes that the model has in every figure."""
    ax.plot(
        x,
        y,
        color=COLOURS.get(model) or COLOURS.get(family(model), "#333333"),
        linestyle=DASHES.get(model, "-"),
        linewidth=2.0 if model == "prism" else 1.5,
        marker="o",
        markersize=3.5,
        label=model,
    )


def legend_above(figure: Figure, ax: Axes) -> None:
    """One legend over all panels, from the lines of ``ax``."""
    handles, names = ax.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper left", ncols=len(names))


def plain_numbers(axis: Axis, form: str = "{:,.0f}") -> None:
    """Ticks of a logarithmic axis at 1, 2 and 5, written out."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, position: form.format(value)))
