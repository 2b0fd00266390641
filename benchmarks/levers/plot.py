"""Figure of levers.json: final loss of every arm against its tuned baseline, with intervals."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.levers.curriculum import ANNEALED, CONSTANT, ELSEWHERE, SKILL, SPREAD
from benchmarks.levers.modular import with_better_joint
from benchmarks.levers.selection import ALL
from benchmarks.levers.summary import arms, difference, finals
from prism.compare.statistics import Estimate, estimate

INK, GREY, BLUE, OCHRE = "#222222", "#9a9a94", "#2b5c8a", "#b8782a"
Rows = list[tuple[str, Estimate, str]]  # words, nats, colour


def methods_figure(content: dict[str, Any]) -> Figure:
    """One panel per training method that has been measured."""
    panels = [(title, rows_of(content[part])) for part, title, rows_of in PANELS if part in content]
    panels = [(title, rows) for title, rows in panels if rows]
    figure = Figure(figsize=(9, 0.6 + 2.4 * -(-len(panels) // 2)), layout="constrained")
    if not panels:
        return figure
    axes = figure.subplots(-(-len(panels) // 2), 2, squeeze=False).flatten()
    for ax in axes[len(panels) :]:
        ax.set_visible(False)
    for ax, (title, rows) in zip(axes, panels, strict=False):
        _forest(ax, title, rows)
    figure.supxlabel("nats, left of the line is better; 95% intervals over seeds", fontsize=8)
    return figure


def _arms(part: dict[str, Any], baseline: str) -> Rows:
    return [(arm.name, arm.equal, INK) for arm in arms(part, baseline) if arm.equal]


def _curriculum(part: dict[str, Any]) -> Rows:
    runs, rows = finals(part), []
    for arm in (SPREAD, ANNEALED):
        for domain, colour in ((SKILL, BLUE), (ELSEWHERE, OCHRE)):
            value = difference(runs.get(arm, {}), runs.get(CONSTANT, {}), "domains", domain)
            if value is not None:
                rows.append((f"{arm}, {domain}", value, colour))
    return rows


def _modular(part: dict[str, Any]) -> Rows:
    runs = list(with_better_joint(part).values())
    rows: Rows = []
    for domain in runs[0]["measures"]["interference"] if runs else ():
        for words, name, colour in (
            ("assembled", "interference", OCHRE),
            ("calibrated", "interference_calibrated", BLUE),
        ):
            value = estimate([run["measures"][name][domain] for run in runs])
            rows.append((f"{domain}, {words}", value, colour))
    return rows


PANELS = (
    ("growth", "Growth, against scratch at equal time", lambda part: _arms(part, "scratch")),
    ("selection", "Token selection, against all tokens", lambda part: _arms(part, ALL)),
    ("curriculum", "Curriculum, against constant shares", _curriculum),
    ("modular", "Modular, against the best single branch", _modular),
)


def _forest(ax: Axes, title: str, rows: Rows) -> None:
    for place, (_, value, colour) in enumerate(reversed(rows)):
        ax.errorbar(
            value.mean,
            place,
            xerr=value.half_width,
            fmt="o",
            markersize=4.5,
            color=colour,
            elinewidth=1.4,
            capsize=2.5,
            zorder=3,
        )
    ax.axvline(0, color=GREY, linewidth=0.9, linestyle=":", zorder=1)
    ax.set_yticks(range(len(rows)), [words for words, _, _ in reversed(rows)], fontsize=8)
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.set_title(title, fontsize=9, loc="left")
    ax.tick_params(axis="x", labelsize=7.5)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
