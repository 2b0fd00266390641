"""Figures of a run from its records: losses, gradients, speed, routing, time scales, time.

A panel is there if the records have its numbers, and if these say anything: router loads of a model
that runs every kind on every token are all 1 and are left out.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

Records = Sequence[dict[str, Any]]
WIDTH, ROW = 11.25, 2.75  # inches
WINDOW, WINDOWS = 15, 6  # log lines on either side of a running median; shorter runs have so many
LINE, LIGHT, MARK = "#2b5c8a", "#a9c1d6", "#b3472e"
PARTS = {  # of the time, in the order in which they are drawn
    "gradients": "forward and backward passes",
    "optimizer": "optimizer",
    "data": "reading data",
    "validation": "validation",
    "saving": "saving",
    "other": "logging and the rest",
}


def draw(records: Records) -> Figure:
    """All panels that the records have numbers for, two in a row.

    Args:
        records: of one run, in order of steps.
    """
    panels: list[tuple[str, str, Callable[[Axes, Records], None]]] = [
        ("bits per byte", "bits_per_byte", _losses),
        ("gradient norm", "grad_norm", _gradients),
        ("learning rate", "lr", _rate),
        ("tokens per second", "tokens_per_second", _speed),
        ("router loads", "loads", _loads),
        ("use of the half-lives", "half_life_use", _half_lives),
        ("where the time went", "time", _time),
        ("share of the targets trained on", "selected", _line("selected")),
        ("share of the GPU's peak (MFU)", "mfu", _line("mfu")),
    ]
    shown = [panel for panel in panels if _says_something(records, panel[1])]
    rows = max(1, -(-len(shown) // 2))
    figure = Figure(figsize=(WIDTH, ROW * rows), layout="constrained")
    for i, (title, _, put) in enumerate(shown):
        ax = figure.add_subplot(rows, 2, i + 1)
        ax.set_title(title, loc="left")
        ax.tick_params(labelsize=8)
        ax.set_xlabel("step", fontsize=8)
        put(ax, records)
    return figure


def spent(records: Records) -> dict[str, float]:
    """Seconds of the whole run by part, largest parts as in :data:`PARTS`; those of older records
    follow from their steps."""
    total: dict[str, float] = {}
    before = 0
    for record in records:
        if "time" not in record:
            continue
        steps = max(record["step"] - before, 0)
        wall = record.get("wall_seconds", record.get("seconds_per_step", 0.0) * steps)
        before = record["step"]
        for part, share in record["time"].items():
            total[part] = total.get(part, 0.0) + share * wall
    return {part: total[part] for part in sorted(total, key=lambda p: [*PARTS, p].index(p))}


def _says_something(records: Records, name: str) -> bool:
    values = [record[name] for record in records if name in record]
    if name == "loads":
        return any(abs(share - 1.0) > 1e-6 for value in values for share in value.values())
    return bool(values)


def _points(records: Records, name: str) -> tuple[list[int], list[Any]]:
    """Steps and values of a number; those that are not finite are left out."""
    found = [(r["step"], r[name]) for r in records if name in r]
    found = [(s, v) for s, v in found if not isinstance(v, float) or math.isfinite(v)]
    return [step for step, _ in found], [value for _, value in found]


def _line(name: str) -> Callable[[Axes, Records], None]:
    def put(ax: Axes, records: Records) -> None:
        ax.plot(*_points(records, name), color=LINE, linewidth=1.2)

    return put


def _losses(ax: Axes, records: Records) -> None:
    steps, values = _points(records, "bits_per_byte")
    ax.plot(steps, values, color=LINE, linewidth=1.2, label="training")
    ax.plot(
        *_points(records, "held_out_bits_per_byte"),
        "o-",
        color=MARK,
        markersize=4,
        label="held out",
    )
    _legend_above(ax)


def _gradients(ax: Axes, records: Records) -> None:
    """Points and their running median on a logarithmic axis that spikes do not stretch: what is
    more than ten times above or below all of the medians is drawn at the edge."""
    steps, values = _points(records, "grad_norm")
    positive = [(s, v) for s, v in zip(steps, values, strict=True) if v > 0]
    if not positive:
        return
    steps, values = (list(column) for column in zip(*positive, strict=True))
    n = len(values)
    side = min(WINDOW, max(1, n // WINDOWS))
    medians = [statistics.median(values[max(0, i - side) : i + side + 1]) for i in range(n)]
    low, high = min(medians) / 10, max(medians) * 10
    inside, size = [min(max(v, low), high) for v in values], 3 if n > 60 else 7
    ax.plot(steps, inside, ".", color=LIGHT, markersize=size, label="of a step")
    beyond = [s for s, v in zip(steps, values, strict=True) if v > high]
    if beyond:
        ax.plot(beyond, [high] * len(beyond), "^", color=MARK, markersize=5, label="above")
    ax.plot(steps, medians, color=LINE, linewidth=1.4, label="running median")
    ax.set_yscale("log")
    bottom, top = ax.get_ylim()
    ax.set_ylim(min(bottom, min(medians) / 3), max(top, max(medians) * 3))
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    _legend_above(ax)


def _rate(ax: Axes, records: Records) -> None:
    ax.plot(*_points(records, "lr"), color=LINE, linewidth=1.2)
    ax.set_ylim(bottom=0.0)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:.2g}")


def _speed(ax: Axes, records: Records) -> None:
    ax.plot(*_points(records, "tokens_per_second"), color=LINE, linewidth=1.2)
    ax.set_ylim(bottom=0.0)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def _loads(ax: Axes, records: Records) -> None:
    steps, values = _points(records, "loads")
    for kind in values[-1]:
        ax.plot(steps, [value.get(kind, 0.0) for value in values], linewidth=1.4, label=kind)
    ax.set_ylim(0.0, 1.02)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    _legend_above(ax)


def _half_lives(ax: Axes, records: Records) -> None:
    """Bars of the last validation, marks of the first; 1 is the mean over the half-lives."""
    steps, values = _points(records, "half_life_use")
    last, first = values[-1], values[0]
    places = range(len(last))
    ax.bar(places, list(last.values()), color=LIGHT, label=f"step {steps[-1]:,}")
    if len(values) > 1 and first.keys() == last.keys():
        ax.plot(places, list(first.values()), "_", color=MARK, markersize=9, mew=2,
                label=f"step {steps[0]:,}")  # fmt: skip
    ax.set_xticks(places, list(last), rotation=45 if len(last) > 10 else 0)
    ax.set_xlabel("half-life, tokens", fontsize=8)
    _legend_above(ax)


def _time(ax: Axes, records: Records) -> None:
    parts = spent(records)
    total = sum(parts.values()) or 1.0
    ax.barh(range(len(parts)), [seconds / total for seconds in parts.values()], color=LIGHT)
    for row, (part, seconds) in enumerate(parts.items()):
        text = f"{PARTS.get(part, part)}: {in_words(seconds)}, {seconds / total:.1%}"
        inside = seconds / total > 0.6
        ax.text(0.01 if inside else seconds / total + 0.01, row, text, va="center", fontsize=8)
    ax.set_yticks([])
    ax.invert_yaxis()
    ax.set_xlim(0.0, 1.0)
    ax.set_xticks([0.0, 0.5, 1.0], ["0%", "50%", "100%"])
    ax.set_xlabel("")


def _legend_above(ax: Axes) -> None:
    """Names of the lines beside the title, where no line is."""
    place: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1.0, 0.99)}
    ax.legend(fontsize=8, ncols=4, borderaxespad=0.2, columnspacing=1.2, handlelength=1.4, **place)


def in_words(seconds: float) -> str:
    """``4.2 s``, ``16 min 49 s``, ``3 h 2 min``, ``4 days 4 h``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 2 * 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86_400} days {whole % 86_400 // 3600} h"
