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
        ("bits per byte", "bits_per_byte", _bits),
        ("gradient norm", "grad_norm", _line),
        ("learning rate", "lr", _line),
        ("tokens per second", "tokens_per_second", _line),
        ("router loads", "loads", _shares),
        ("half-life use, by tokens", "half_life_use", _shares),
        ("where the time went", "time", _shares),
        ("share of the targets trained on", "selected", _line),
        ("share of the peak (MFU)", "mfu", _line),
    ]
    shown = [panel for panel in panels if any(panel[1] in r for r in records)]
    rows = max(1, -(-len(shown) // 2))
    figure = Figure(figsize=(WIDTH, ROW * rows), layout="constrained")
    for i, (title, name, plot) in enumerate(shown):
        ax = figure.add_subplot(rows, 2, i + 1)
        plot(ax, records, name)
        ax.set_title(title)
        ax.set_xlabel("step", fontsize=8)
        ax.tick_params(labelsize=8)
        if len(ax.get_legend_handles_labels()[0]) > 1:
            ax.legend(fontsize=7)
    return figure


def _points(records: Records, name: str) -> tuple[list[int], list[float]]:
    found = [(r["step"], r[name]) for r in records if name in r]
    return [step for step, _ in found], [value for _, value in found]


def _line(
    ax: Axes, records: Records, name: str, label: str | None = None, style: str = "-"
) -> None:
    steps, values = _points(records, name)
    if steps:
        ax.plot(steps, values, style, label=label, linewidth=1.2, markersize=4)


def _bits(ax: Axes, records: Records, name: str) -> None:
    _line(ax, records, name, "training")
    _line(ax, records, "held_out_bits_per_byte", "held out", "o-")


def _shares(ax: Axes, records: Records, name: str) -> None:
    """One line per key of a dictionary-valued number."""
    steps, values = _points(records, name)
    for key in values[-1] if values else ():
        ax.plot(steps, [v.get(key, 0.0) for v in values], label=key, linewidth=1.2)
