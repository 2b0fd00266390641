"""The study reported as a table, in plain sentences and as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.table import Table

from prism.compare.page import plot_style
from prism.studies.modular.domains import DOMAINS, OWN

BARS = {
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
    "trunk": "trunk",
    **{kind: f"trunk + {kind}" for kind in OWN.values()},
    "assembled": "assembled",
    "calibrated": "assembled + calibrated",
    "joint": "joint training",
}


def losses_table(result: Mapping[str, Any]) -> Table:
    """One row per model: nats by domain, and what its phase cost."""
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
    """What it says, each figure beside its bar."""
    found = result["measures"]
    worst = max(DOMAINS, key=found["interference"].__getitem__)
    gap = found["mean"]["assembled"] - found["mean"]["joint"]
    way, total = found["critical_path"], found["total"]["flops"]
    lines = [
        f"Put together without any training in common, the parts are at most "
        f"{found['worst_interference']:+.3f} nats from the best single part, on {worst} "
        f"{_verdict(found['worst_interference'] <= BARS['worst_interference'], '<= 0.05')}.",
        f"Calibrating gates on {found['calibration_tokens']:.1%} of the tokens moves the mean from "
        f"{found['mean']['assembled']:.3f} to {found['mean']['calibrated']:.3f}; joint training "
        f"reaches {found['mean']['joint']:.3f}.",
    ]
    if gap > 0:
        met = found["closed"] >= BARS["closed"]
        lines.append(
            f"The calibration closes {found['closed']:.0%} of what is left to the joint run "
            f"{_verdict(met, '>= 90%')}; from the trunk on, "
            f"{found['closed_of_trunk']:.1%} of the way is gone."
        )
    else:
        lines.append("Nothing is left between the assembled model and the joint run.")
    lines.append(
        f"Trunk, longest part and calibration take {way['seconds']:.2f} of the joint run's CPU "
        f"seconds {_verdict(way['seconds'] <= BARS['critical_path'], '<= 0.5')} and "
        f"{way['flops']:.2f} of its FLOPs, all phases together {total:.2f} of its FLOPs "
        f"{_verdict(total <= BARS['total'], '<= 1.1')}."
    )
    return lines


def _verdict(met: bool, bar: str) -> str:
    return f"(bar {bar}: {'met' if met else 'MISSED'})"


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Write the losses and gates of one seed as a PNG."""
    with plot_style(**{"axes.grid": False, "axes.titlepad": 12}):
        figure = Figure(figsize=(10.4, 4.2))
        left, right = figure.subplots(1, 2, width_ratios=(1.7, 1))
        _losses(left, result)
        _gates(right, result)
        figure.tight_layout(w_pad=3)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)


def _losses(axes: Axes, result: Mapping[str, Any]) -> None:
    width = 0.8 / len(MODELS)
    for i, (name, words) in enumerate(MODELS.items()):
        at = [d + (i - (len(MODELS) - 1) / 2) * width for d in range(len(DOMAINS))]
        heights = [result["losses"][name][domain] for domain in DOMAINS]
        axes.bar(at, heights, 0.92 * width, color=COLOURS[name], label=words)
        for x, height in zip(at, heights, strict=True):
            axes.text(x, height, f"{height:.2f}", ha="center", va="bottom", fontsize=6.5)
    axes.set_xticks(range(len(DOMAINS)), [f"{d}\n({OWN[d]} part's own)" for d in DOMAINS])
    axes.set_ylabel("nats per scored token, unseen text")
    # below the axes: between the bars there is no room that is free in every run
    axes.legend(ncols=4, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16))
    axes.set_title("Loss of each model")


def _gates(axes: Axes, result: Mapping[str, Any]) -> None:
    gates, width = result["gates"]["calibrated"], 0.26
    for i, kind in enumerate(OWN.values()):
        at = [d + (i - 1) * width for d in range(len(DOMAINS))]
        heights = [gates[domain][kind] for domain in DOMAINS]
        axes.bar(at, heights, 0.92 * width, color=COLOURS[kind], label=kind)
    axes.axhline(0.5, color=GREY, lw=0.8, ls=(0, (4, 3)))
    axes.set_ylim(0, 1)
    axes.set_xticks(range(len(DOMAINS)), DOMAINS)
    axes.set_ylabel("mean gate, 0 shut to 1 open")
    axes.legend(fontsize=8)
    axes.set_title("Gates by domain, once calibrated")
