"""Figure of real_text.json: held-out bits per byte against tokens read."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from benchmarks.page.figure import legend_above, model_line, panels


def text_figure(content: dict[str, Any]) -> Figure:
    """Left the whole run of the first seed, right its second half, where the models come apart."""
    figure, (whole, late) = panels(10, 3.8, 2)
    first = min(row["seed"] for row in content["runs"])
    for row in (row for row in content["runs"] if row["seed"] == first):
        points = [(h["tokens"] / 1e6, h["bits_per_byte"]) for h in row["held_out"]]
        for ax, shown in ((whole, points), (late, points[len(points) // 2 :])):
            model_line(ax, row["model"], [x for x, _ in shown], [y for _, y in shown])
    for ax, title in ((whole, "Held-out bits per byte"), (late, "Second half")):
        ax.set_title(title)
        ax.set_xlabel("million tokens read")
    whole.set_ylabel("bits per byte")
    legend_above(figure, whole)
    return figure
