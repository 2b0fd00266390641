"""Figure of the study: who still moves, and why an update is lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.freeze.effects import valid
from benchmarks.page.figure import panels, plain_numbers

LIVE = "w16 m16 near b2=.999 lr=1 wd=0"
# what differs from the live run, a variant with that alone, colour
CURVES = (
    ("as it was trained: all in bf16", LIVE, "#222222"),
    ("decay .1", "w16 m16 near b2=.999 lr=1 wd=.1", "#9a9a94"),
    ("rate 3e-4", "w16 m16 near b2=.999 lr=.3 wd=0", "#7a5195"),
    ("moments fp32", "w16 m32 near b2=.999 lr=1 wd=0", "#2b5c8a"),
    ("beta2 .99", "w16 m16 near b2=.99 lr=1 wd=0", "#b8782a"),
    ("stochastic rounding", "w16 m16 stoch b2=.999 lr=1 wd=0", "#b03030"),
    ("weights fp32", "w32 m16 near b2=.999 lr=1 wd=0", "#3a7d44"),
)
CAUSES = (
    ("moved", "moves", "#222222"),
    ("below_half", "update below half a lattice step", "#b03030"),
    ("latched", "second moment does not fall, though it should", "#2b5c8a"),
)


def freezing_figure(content: dict[str, Any]) -> Figure:
    """Survival of single changes of the optimizer, and the causes in the live run; the mean of the
    seeds, and from the lowest to the highest of them."""
    figure, (left, right) = panels(11, 4.2, 2)
    tracers = [run["tracers"] for run in valid(content.get("ablation", {}).get("runs", []))]
    if not tracers:
        return figure
    for label, name, colour in CURVES:
        found = [t["variants"][name]["curve"] for t in tracers if name in t["variants"]]
        _band(left, tracers[0]["times"], found, colour, label)
    left.set_title("Numbers of the dead rows that will move again", loc="left")
    for cause, label, colour in CAUSES:
        found = [_shares(t["variants"]["live"], cause) for t in tracers]
        _band(right, tracers[0]["windows"], found, colour, label)
    right.set_title("The live run: share of the numbers at a step", loc="left")
    for ax, where in ((left, "center left"), (right, "center right")):
        ax.set_xscale("log")
        plain_numbers(ax.xaxis)
        ax.set_xlabel("step")
        ax.set_ylabel("share")
        ax.set_ylim(-0.02, 1.02)
        ax.legend(fontsize=8, loc=where)
    left.set_xlim(left=10)
    return figure


def _shares(variant: dict[str, Any], cause: str) -> list[float]:
    """Share of the numbers in each window of steps."""
    causes, numbers = variant["causes"], variant["freezing"]["numbers"]
    pairs = zip(causes[cause], causes["noted"], strict=True)
    return [count / max(steps * numbers, 1) for count, steps in pairs]


def _band(
    ax: Axes, x: Sequence[float], each: Sequence[Sequence[float]], colour: str, label: str
) -> None:
    if not each:
        return
    columns = list(zip(*each, strict=True))
    mean = [sum(c) / len(c) for c in columns]
    ax.plot(x, mean, color=colour, label=label)
    ax.fill_between(x, [min(c) for c in columns], [max(c) for c in columns], color=colour,
                    alpha=0.15, linewidth=0)  # fmt: skip
