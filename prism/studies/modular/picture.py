"""The picture of the study: what every model reaches by domain, and where the gates are open."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prism.studies.modular.domains import DOMAINS, OWN
from prism.studies.modular.told import MODELS

INK, GREY = "#222222", "#9a9a94"
COLOURS = {
    "trunk": "#d9d7cf",
    "neural": "#2b5c8a",
    "memory": "#b8782a",
    "symbolic": "#7a4f8a",
    "assembled": "#8fbf9f",
    "calibrated": "#3f7f56",
    "joint": "#222222",
}


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Write ``result`` of one seed as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    with plt.rc_context({"font.family": "DejaVu Sans", "font.size": 9}):
        figure, (left, right) = plt.subplots(
            1, 2, figsize=(10.4, 4.2), gridspec_kw={"width_ratios": (1.7, 1)}
        )
        _losses(left, result)
        _gates(right, result)
        for axes in (left, right):
            axes.spines[["top", "right"]].set_visible(False)
        figure.tight_layout(w_pad=3)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)
        plt.close(figure)


def _losses(axes: Any, result: Mapping[str, Any]) -> None:
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
    axes.legend(frameon=False, ncols=4, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16))
    axes.set_title("What each model reaches", loc="left", color=INK, fontsize=10.5, pad=12)


def _gates(axes: Any, result: Mapping[str, Any]) -> None:
    gates, width = result["gates"]["calibrated"], 0.26
    for i, kind in enumerate(OWN.values()):
        at = [d + (i - 1) * width for d in range(len(DOMAINS))]
        heights = [gates[domain][kind] for domain in DOMAINS]
        axes.bar(at, heights, 0.92 * width, color=COLOURS[kind], label=kind)
    axes.axhline(0.5, color=GREY, lw=0.8, ls=(0, (4, 3)))
    axes.set_ylim(0, 1)
    axes.set_xticks(range(len(DOMAINS)), DOMAINS)
    axes.set_ylabel("mean gate, 0 shut to 1 open")
    axes.legend(frameon=False, fontsize=8)
    title = "Where its gates open once calibrated"
    axes.set_title(title, loc="left", color=INK, fontsize=10.5, pad=12)
