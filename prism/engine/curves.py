"""The figures of a run, from its ``metrics.jsonl``: losses, speed, routing, time scales."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

Records = Sequence[dict[str, Any]]
SIZE = (10.0, 10.5)  # inches


def draw(records: Records) -> Figure:
    """All panels that the records have numbers for.

    Args:
        records: of one run, in order of steps.
    """
    panels = [
        ("bits per byte", _bits),
        ("gradient norm", lambda ax, r: _line(ax, r, "grad_norm")),
        ("learning rate", lambda ax, r: _line(ax, r, "lr")),
        ("tokens per second", lambda ax, r: _line(ax, r, "tokens_per_second")),
        ("router loads", lambda ax, r: _shares(ax, r, "loads")),
        ("half-life use, by tokens", lambda ax, r: _shares(ax, r, "half_life_use")),
        ("where the time went", lambda ax, r: _shares(ax, r, "time")),
        ("share of the peak (MFU)", lambda ax, r: _line(ax, r, "mfu")),
    ]
    figure = Figure(figsize=SIZE, layout="constrained")
    for i, (title, plot) in enumerate(panels):
        ax = figure.add_subplot(4, 2, i + 1)
        plot(ax, records)
        ax.set_title(title, loc="left", fontsize=10)
        ax.set_xlabel("step", fontsize=8)
        ax.tick_params(labelsize=8)
        ax.grid(alpha=0.3)
        if ax.has_data():
            if len(ax.get_legend_handles_labels()[0]) > 1:
                ax.legend(fontsize=7)
        else:
            figure.delaxes(ax)
    return figure


def svg(figure: Figure) -> str:
    """The figure as an SVG element, to be put into a page."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return re.sub(r"^.*?(?=<svg)", "", buffer.getvalue(), flags=re.DOTALL)


def _points(records: Records, name: str) -> tuple[list[int], list[float]]:
    found = [(r["step"], r[name]) for r in records if name in r]
    return [step for step, _ in found], [value for _, value in found]


def _line(
    ax: Axes, records: Records, name: str, label: str | None = None, style: str = "-"
) -> None:
    steps, values = _points(records, name)
    if steps:
        ax.plot(steps, values, style, label=label, linewidth=1.2, markersize=4)


def _bits(ax: Axes, records: Records) -> None:
    _line(ax, records, "bits_per_byte", "training")
    _line(ax, records, "held_out_bits_per_byte", "held out", "o-")


def _shares(ax: Axes, records: Records, name: str) -> None:
    """One line per key of a dictionary-valued number."""
    steps, values = _points(records, name)
    for key in values[-1] if values else ():
        ax.plot(steps, [v.get(key, 0.0) for v in values], label=key, linewidth=1.2)
