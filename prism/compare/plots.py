"""Figures about results: learning curves, and scores against sequence length.

Each function gives a matplotlib figure, or None when there is nothing to draw. Models keep their
colour and dash pattern in every figure; with several seeds a band shows the 95% interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib

matplotlib.use("svg")

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from prism.compare.statistics import Estimate, estimate
from prism.compare.summary import TaskSummary, model_names
from prism.compare.table import unit

WIDTH = 11.0  # inches: 1056 px at 96 dpi
COLOURS = {
    "prism": "#b8322a",
    "transformer": "#2b5c8a",
    "ssm": "#3f7f56",
    "gdn": "#8a6d1d",
    "gdn-neg": "#6b4c8f",
}
DASHES = {
    "prism": "-",
    "transformer": (0, (5, 1.5)),
    "ssm": (0, (1.2, 1.2)),
    "gdn": (0, (5, 1.2, 1.2, 1.2)),
    "gdn-neg": (0, (3, 1, 1, 1, 1, 1)),
}
STYLE = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["Helvetica Neue", "Helvetica", "Arial", "DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e8e8e4",
    "grid.linewidth": 0.7,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "legend.frameon": False,
}


def learning_curves(summaries: Sequence[TaskSummary]) -> Figure | None:
    """Validation metric against step, one panel per task."""
    panels = [s for s in summaries if any(m.good for m in s.models.values())]
    if not panels:
        return None
    figure, axes = _panels(len(panels))
    for ax, summary in zip(axes, panels, strict=True):
        for name, model in summary.models.items():
            steps = [point["step"] for point in model.first["curve"]]
            curves = [[point["val_metric"] for point in run["curve"]] for run in model.good]
            if curves:
                values = [estimate(at_step) for at_step in zip(*curves, strict=True)]
                _line(ax, name, steps, values)
        _finish(ax, summary, f"{summary.title}, T = {summary.train_length}", "step")
        ax.set_xlim(left=0)
    _legend(figure, summaries)
    return figure


def length_curves(summaries: Sequence[TaskSummary]) -> Figure | None:
    """Test metric against sequence length, for tasks measured at several lengths."""
    panels = [s for s in summaries if len(s.lengths) > 1]
    if not panels:
        return None
    figure, axes = _panels(len(panels))
    for ax, summary in zip(axes, panels, strict=True):
        ax.set_xscale("log", base=2)
        for name, model in summary.models.items():
            found = {length: model.estimate(length) for length in summary.lengths}
            known = {length: value for length, value in found.items() if value is not None}
            if known:
                _line(ax, name, list(known), list(known.values()), marker="o")
        ax.axvline(summary.train_length, color="#999999", linewidth=0.8, zorder=0)
        ax.set_xticks(summary.lengths, [str(length) for length in summary.lengths])
        ax.xaxis.set_minor_locator(NullLocator())
        _finish(ax, summary, summary.title, "length T (line: training length)")
    _legend(figure, summaries)
    return figure


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    columns = min(3, count)
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(WIDTH * max(columns, 2) / 3, 2.5 * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).flatten().tolist()
    for ax in axes[count:]:
        ax.set_visible(False)
    return figure, axes[:count]


def _line(
    ax: Axes, model: str, xs: Sequence[float], values: Sequence[Estimate], marker: str | None = None
) -> None:
    colour = COLOURS.get(model, "#333333")
    style = {"color": colour, "linestyle": DASHES.get(model, "-"), "label": model}
    width = 2.0 if model == "prism" else 1.5
    means = [value.mean for value in values]
    ax.plot(xs, means, linewidth=width, marker=marker, markersize=3.5, **style)
    if any(value.half_width for value in values):
        low, high = [value.low for value in values], [value.high for value in values]
        ax.fill_between(xs, low, high, color=colour, alpha=0.15, linewidth=0)


def _finish(ax: Axes, summary: TaskSummary, title: str, xlabel: str) -> None:
    ax.set_title(title)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(unit(summary.metric))
    if summary.metric == "accuracy":
        chance = summary.run["chance"]
        ax.axhline(chance, color="#999999", linewidth=0.8, linestyle=":", zorder=0)
        ax.set_ylim(-0.02, 1.04)


def _legend(figure: Figure, summaries: Sequence[TaskSummary]) -> None:
    """One legend above all panels, in the usual order of the models."""
    found = {}
    for ax in figure.axes:
        for handle, name in zip(*ax.get_legend_handles_labels(), strict=True):
            found.setdefault(name, handle)
    names = [name for name in model_names(summaries) if name in found]
    figure.legend(
        [found[name] for name in names], names, loc="outside upper left", ncols=len(names)
    )
