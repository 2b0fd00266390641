"""Page of a run, from its ``metrics.jsonl``: losses, speed, routing, time scales, settings."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from prism import page
from prism.engine.logs.log import read
from prism.engine.store.folder import read_json

Records = Sequence[dict[str, Any]]
WIDTH, ROW = 10.0, 2.625  # inches


def render(run: Path) -> str:
    """The page of a run, self-contained HTML.

    Raises:
        ValueError: the folder holds no run, or nothing was logged yet.
    """
    settings, records = read_json(run / "settings.json"), read(run)
    if not records:
        raise ValueError(f"{run}: nothing has been logged yet")
    last: dict[str, Any] = {}
    for record in records:
        last |= record
    numbers = {k: v for k, v in last.items() if not isinstance(v, dict)}
    with page.plot_style():
        figure = page.figure(draw(records), "run", "Every panel is over the steps of the run.")
    title = f"{settings['model']} {settings['preset']}: {run.name}"
    shown = {k: f"{v:.5g}" if isinstance(v, float) else v for k, v in numbers.items()}
    sections = (f"<h1>{escape(title)}</h1>", page.facts(shown), figure)
    return page.page(title, (*sections, "<h2>Settings</h2>", page.facts(settings)))


def draw(records: Records) -> Figure:
    """All panels that the records have numbers for.

    Args:
        records: of one run, in order of steps.
    """
    panels = [
        ("bits per byte", "bits_per_byte"),
        ("gradient norm", "grad_norm"),
        ("learning rate", "lr"),
        ("tokens per second", "tokens_per_second"),
        ("router loads", "loads"),
        ("half-life use, by tokens", "half_life_use"),
        ("where the time went", "time"),
        ("share of the targets trained on", "selected"),
        ("share of the peak (MFU)", "mfu"),
    ]
    shown = [panel for panel in panels if any(panel[1] in r for r in records)]
    rows = max(1, -(-len(shown) // 2))
    figure = Figure(figsize=(WIDTH, ROW * rows), layout="constrained")
    for i, (title, name) in enumerate(shown):
        ax = figure.add_subplot(rows, 2, i + 1)
        _plot(ax, records, name, "training" if name == "bits_per_byte" else None)
        if name == "bits_per_byte":
            _plot(ax, records, "held_out_bits_per_byte", "held out", "o-")
        ax.set_title(title, loc="left")
        ax.set_xlabel("step", fontsize=8)
        ax.tick_params(labelsize=8)
        if len(ax.get_legend_handles_labels()[0]) > 1:
            ax.legend(fontsize=7)
    return figure


def _plot(
    ax: Axes, records: Records, name: str, label: str | None = None, style: str = "-"
) -> None:
    """The line of a number, or one line per key of a dictionary-valued one."""
    points = [(r["step"], r[name]) for r in records if name in r]
    steps = [step for step, _ in points]
    if points and isinstance(points[-1][1], dict):
        for key in points[-1][1]:
            ax.plot(steps, [value.get(key, 0.0) for _, value in points], label=key, linewidth=1.2)
    elif points:
        values = [value for _, value in points]
        ax.plot(steps, values, style, label=label, linewidth=1.2, markersize=4)
