"""The study reported as a table, in plain sentences and as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.table import Table

from prism.page import plot_style
from prism.studies.modular.domains import DOMAINS, OWN

CRITERIA = {
    "worst_interference": 0.05,
    "closed": 0.9,
    "critical_path": 0.5,
    "total": 1.1,
}
GREY = "#9a9a94"
COLOURS = {
    "trunk": "#d9d7cf",
    "neural": "#2b5c8a",
    "memory": "#b8782a",
    "symbolic": "#7a4f8a",
    "assembled": "#8fbf9f",
    "calibrated": "#3f7f56",
    "joint": "#222222",
}
MODELS = {
    "trunk": "backbone",
    **{kind: f"backbone + {kind}" for kind in OWN.values()},
    "assembled": "assembled",
    "calibrated": "assembled + calibrated",
    "joint": "joint training",
}


def losses_table(result: Mapping[str, Any]) -> Table:
    """One row per model: nats by domain, and the cost of its phase."""
    shown = Table(title="nats per scored token on text that no model was trained on")
    for name, side in [("", "left"), *((d, "right") for d in (*DOMAINS, "mean"))]:
        shown.add_column(name, justify=side)
    shown.add_column("parameters", justify="right")
    shown.add_column("tokens", justify="right")
    shown.add_column("TFLOPs", justify="right")
    for name, words in MODELS.items():
        losses, cost = result["losses"][name], result["cost"].get(name)
        cells = [f"{losses[d]:.3f}" for d in DOMAINS]
        spent = ["", ""] if cost is None else [f"{cost['tokens']:,}", f"{cost['flops'] / 1e12:.3f}"]
        mean = result["measures"]["mean"][name]
        shown.add_row(words, *cells, f"{mean:.3f}", f"{result['parameters'][name]:,}", *spent)
    return shown


def sentences(result: Mapping[str, Any]) -> list[str]:
    """Summary in plain sentences, each figure beside its criterion."""
    m = result["measures"]
    worst = max(DOMAINS, key=m["interference"].__getitem__)
    gap = m["mean"]["assembled"] - m["mean"]["joint"]
    way, total = m["critical_path"], m["total"]["flops"]
    lines = [
        f"Summed without joint training, the branches are at most "
        f"{m['worst_interference']:+.3f} nats above the best single branch, on {worst} "
        f"{_verdict(m['worst_interference'] <= CRITERIA['worst_interference'], '<= 0.05')}.",
        f"Calibrating gates on {m['calibration_tokens']:.1%} of the tokens moves the mean from "
        f"{m['mean']['assembled']:.3f} to {m['mean']['calibrated']:.3f}; joint training "
        f"reaches {m['mean']['joint']:.3f}.",
    ]
    if gap > 0:
        met = m["closed"] >= CRITERIA["closed"]
        lines.append(
            f"The calibration closes {m['closed']:.0%} of what is left to the joint run "
            f"{_verdict(met, '>= 90%')}, and {m['closed_of_trunk']:.1%} of the gap between the "
            "backbone and the joint run."
        )
    else:
        lines.append("Nothing is left between the assembled model and the joint run.")
    lines.append(
        f"Backbone, longest branch and calibration take {way['seconds']:.2f} of the joint run's "
        f"CPU seconds {_verdict(way['seconds'] <= CRITERIA['critical_path'], '<= 0.5')} and "
        f"{way['flops']:.2f} of its FLOPs, all phases together {total:.2f} of its FLOPs "
        f"{_verdict(total <= CRITERIA['total'], '<= 1.1')}."
    )
    return lines


def _verdict(met: bool, criterion: str) -> str:
    return f"(criterion {criterion}: {'met' if met else 'MISSED'})"


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Write the losses and gates of one seed as a PNG."""
    losses, gates = result["losses"], result["gates"]["calibrated"]
    with plot_style(**{"axes.grid": False, "axes.titlepad": 12}):
        figure = Figure(figsize=(10.4, 4.2))
        left, right = figure.subplots(1, 2, width_ratios=(1.7, 1))
        _bars(left, {name: [losses[name][d] for d in DOMAINS] for name in MODELS}, MODELS)
        for bar in left.patches:
            x, y = bar.get_x() + bar.get_width() / 2, bar.get_height()
            left.text(x, y, f"{y:.2f}", ha="center", va="bottom", fontsize=6.5)
        left.set_xticks(range(len(DOMAINS)), [f"{d}\n(domain of {OWN[d]})" for d in DOMAINS])
        left.set_ylabel("nats per scored token, unseen text")
        # below the axes: between the bars there is no room that is free in every run
        left.legend(ncols=4, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16))
        left.set_title("Loss of each model")
        kinds = {kind: kind for kind in OWN.values()}
        _bars(right, {kind: [gates[d][kind] for d in DOMAINS] for kind in kinds}, kinds)
        right.axhline(0.5, color=GREY, lw=0.8, ls=(0, (4, 3)))
        right.set_ylim(0, 1)
        right.set_xticks(range(len(DOMAINS)), DOMAINS)
        right.set_ylabel("mean gate, 0 closed to 1 open")
        right.legend(fontsize=8)
        right.set_title("Gates by domain, once calibrated")
        figure.tight_layout(w_pad=3)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)


def _bars(axes: Axes, heights: Mapping[str, list[float]], labels: Mapping[str, str]) -> None:
    """One group of bars per domain, one bar per name of ``heights``."""
    width = 0.8 / len(heights)
    for i, (name, values) in enumerate(heights.items()):
        at = [d + (i - (len(heights) - 1) / 2) * width for d in range(len(values))]
        axes.bar(at, values, 0.92 * width, color=COLOURS[name], label=labels[name])
