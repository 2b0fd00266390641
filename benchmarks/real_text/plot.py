"""The figure of real_text.json: held-out bits per byte against tokens read."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from prism.compare.plots import COLOURS, DASHES


def text_figure(content: dict[str, Any]) -> Figure:
    """Left the whole run, right its second half, where the models come apart."""
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    whole, late = figure.subplots(1, 2)
    for row in content["runs"]:
        points = [(h["tokens"] / 1e6, h["bits_per_byte"]) for h in row["held_out"]]
        for ax, shown in ((whole, points), (late, points[len(points) // 2 :])):
            ax.plot(
                [x for x, _ in shown],
                [y for _, y in shown],
                color=COLOURS.get(row["model"], "#333333"),
                linestyle=DASHES.get(row["model"], "-"),
                linewidth=2.0 if row["model"] == "prism" else 1.5,
                marker="o",
                markersize=3.5,
                label=row["model"],
            )
    for ax, title in ((whole, "Held-out bits per byte"), (late, "Second half")):
        ax.set_title(title)
        ax.set_xlabel("million tokens read")
    whole.set_ylabel("bits per byte")
    handles, names = whole.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper left", ncols=len(names))
    return figure
