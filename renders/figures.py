"""``python -m renders.figures``: what the comparison reached, in one picture.

Left, one row per task: test score of each model at the training length with its 95% interval, on
an axis of the task's own. Right: score against length for the tasks that are tested longer.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from benchmarks.page.command import RESULTS
from benchmarks.subjects import QUALITY
from prism.command import Parser
from prism.compare.plots import COLOURS, DASHES
from prism.compare.summary import TaskSummary, label, model_names, summarise, unit
from prism.page import plot_style
from renders.drawing import DPI, GREY, HERE, INK, STYLE, folder, save

WIDTH = 900
MARKERS = {"prism": "o", "transformer": "s", "ssm": "^", "gdn": "D"}


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = Parser(prog="python -m renders.figures", description=__doc__)
    p.add_argument("--results", type=Path, default=RESULTS / QUALITY.file, metavar="FILE")
    p.add_argument("--out", type=folder, default=HERE, metavar="DIR")
    args = p.parse_args(argv)
    if not args.results.is_file():
        p.error(f"--results {args.results}: no such file; it comes from {QUALITY.command}")
    content = json.loads(args.results.read_text("utf-8"))
    summaries = [s for s in summarise(content["runs"]) if s.lengths]
    if not summaries:
        p.error(f"--results {args.results}: must hold at least one run that did not fail")
    with plot_style(**STYLE):
        paths = save(
            results_figure(summaries, label(content["meta"], summaries)), args.out, "results"
        )
    print("\n".join(str(path) for path in paths))
    return 0


def results_figure(summaries: list[TaskSummary], title: str) -> Figure:
    """Both halves and one legend."""
    longer = [s for s in summaries if len(s.lengths) > 1]
    rows = max(len(summaries), 2)
    figure = Figure(figsize=(WIDTH / DPI, 1.1 + 0.78 * rows), dpi=DPI, layout="constrained")
    scores, lengths = figure.subfigures(1, 2, width_ratios=(1, 1.25), wspace=0.04)
    _scores(scores, summaries)
    if longer:
        _lengths(lengths, longer)
    _legend(figure, summaries, title)
    return figure


def _scores(figure: Figure, summaries: list[TaskSummary]) -> None:
    axes = figure.subplots(len(summaries), 1, squeeze=False).flatten()
    for ax, summary in zip(axes, summaries, strict=True):
        found = summary.estimates(summary.train_length)
        names = [name for name in summary.models if name in found]
        for place, name in enumerate(reversed(names)):
            value = found[name]
            ax.errorbar(
                value.mean,
                place,
                xerr=value.half_width,
                fmt=MARKERS.get(name, "o"),
                markersize=5.5 if name == "prism" else 4.5,
                color=COLOURS.get(name, INK),
                elinewidth=1.4,
                capsize=2.5,
                zorder=3,
            )
        _score_axis(ax, summary, len(names))


def _score_axis(ax: Axes, summary: TaskSummary, count: int) -> None:
    ax.set_title(summary.title, fontsize=8.5, pad=2)
    ax.set_title(f"{unit(summary.metric)}, T={summary.train_length}", **_aside())
    ax.set_ylim(-0.6, count - 0.4)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.tick_params(labelsize=7.5, length=2, pad=2)
    if summary.metric == "accuracy":
        ax.set_xlim(-0.03, 1.03)
        ax.axvline(summary.run["chance"], color=GREY, linewidth=0.9, linestyle=":", zorder=1)
    else:
        ax.margins(x=0.15)
        ax.xaxis.set_major_locator(MaxNLocator(5))


def _aside() -> dict[str, object]:
    """Style of a small title at the right."""
    return {"loc": "right", "fontsize": 7.5, "fontweight": "normal", "color": GREY, "pad": 2}


def _lengths(figure: Figure, summaries: list[TaskSummary]) -> None:
    rows = -(-len(summaries) // 2)
    axes = figure.subplots(rows, 2, squeeze=False).flatten()
    for ax in axes[len(summaries) :]:
        ax.set_visible(False)
    for ax, summary in zip(axes, summaries, strict=False):
        ax.set_xscale("log", base=2)
        for name, model in summary.models.items():
            known = {t: e for t in summary.lengths if (e := model.estimate(t)) is not None}
            values = list(known.values())
            colour = COLOURS.get(name, INK)
            ax.plot(
                list(known),
                [value.mean for value in values],
                color=colour,
                linestyle=DASHES.get(name, "-"),
                linewidth=2.0 if name == "prism" else 1.4,
                marker=MARKERS.get(name, "o"),
                markersize=4,
                zorder=4 if name == "prism" else 3,
            )
            low, high = [value.low for value in values], [value.high for value in values]
            ax.fill_between(list(known), low, high, color=colour, alpha=0.15, linewidth=0)
        _length_axis(ax, summary)
    figure.supxlabel("length T (first: as trained)", fontsize=8, color=GREY)


def _length_axis(ax: Axes, summary: TaskSummary) -> None:
    ax.set_title(summary.title, fontsize=8.5, pad=5)
    ax.set_title(unit(summary.metric), **{**_aside(), "pad": 5})
    ax.set_xticks(summary.lengths, [f"{t:,}" for t in summary.lengths])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.tick_params(labelsize=7.5, length=2, pad=2)
    ax.yaxis.set_major_locator(MaxNLocator(5))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, position: f"{value:g}"))
    if summary.metric == "accuracy":
        ax.set_ylim(-0.04, 1.05)
        ax.axhline(summary.run["chance"], color=GREY, linewidth=0.9, linestyle=":", zorder=1)


def _legend(figure: Figure, summaries: list[TaskSummary], title: str) -> None:
    names = model_names(summaries)
    handles = [
        Line2D([], [], color=COLOURS.get(n, INK), linestyle=DASHES.get(n, "-"), label=n)
        for n in names
    ]
    for handle, name in zip(handles, names, strict=True):
        handle.set(marker=MARKERS.get(name, "o"), markersize=4.5)
    handles.append(Line2D([], [], color=GREY, linestyle=":", label="chance"))
    intervals = ", 95% intervals" if any(s.seeds > 1 for s in summaries) else ""
    figure.legend(
        handles=handles,
        loc="outside upper left",
        ncols=len(handles),
        fontsize=8.5,
        title=f"Test score at the training length, and at longer ones ({title}{intervals})",
        title_fontproperties={"size": 9.5, "weight": "bold"},
        alignment="left",
    )


if __name__ == "__main__":
    sys.exit(main())
