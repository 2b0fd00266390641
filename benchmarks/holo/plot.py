"""Figure of holo.json: theory against measurement."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from benchmarks.page.figure import panels, plain_numbers
from prism.holo.capacity.theory import accuracy

INK = ("#b8322a", "#2b5c8a", "#3f7f56")


def holo_figure(content: dict[str, Any]) -> Figure:
    """Three panels: the curve, joint decoding, calibration."""
    figure, (curve, density, reliability) = panels(11, 3.6, 3)
    _curve(curve, content)
    _density(density, content)
    _reliability(reliability, content)
    return figure


def _curve(ax: Axes, content: dict[str, Any]) -> None:
    dim = content["dim"]
    for colour, size in zip(INK, sorted({r["candidates"] for r in content["grid"]}), strict=False):
        rows = [r for r in content["grid"] if r["candidates"] == size]
        low, high = rows[0]["facts"], rows[-1]["facts"]
        facts = np.geomspace(low, high, 60)
        theory = [accuracy(dim, float(n), size) for n in facts]
        ax.plot(facts, theory, color=colour, label=f"theory, M = {size:,}")
        share = np.array([r["share"] for r in rows])
        bars = [share - [r["low"] for r in rows], [r["high"] for r in rows] - share]
        ax.errorbar(
            [r["facts"] for r in rows],
            share,
            np.maximum(bars, 0),
            color=colour,
            fmt="o",
            markersize=3.5,
            label=f"measured, M = {size:,}",
        )
    ax.set_xscale("log")
    plain_numbers(ax.xaxis)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_title(f"Matched filter, {dim:,} numbers")
    ax.set(xlabel="facts N", ylabel="best value right")
    ax.legend()


def _density(ax: Axes, content: dict[str, Any]) -> None:
    bars = [(f"filter\n{r['candidates']:,}", r["measured"]) for r in content["limits"]]
    bars += [(f"{r['name']}\n{r['candidates']:,}", r["facts"]) for r in content["density"]]
    colours = [INK[1]] * len(content["limits"]) + [INK[0]] * len(content["density"])
    drawn = ax.bar([name for name, _ in bars], [facts for _, facts in bars], color=colours)
    ax.bar_label(drawn, [f"{facts:,.0f}" for _, facts in bars], fontsize=7)
    ax.set_yscale("log")
    plain_numbers(ax.yaxis)
    ax.yaxis.set_minor_locator(NullLocator())
    ax.tick_params(axis="x", labelsize=6)
    ax.set_title(f"Facts at 99%, {content['dim']:,} numbers")
    ax.set_ylabel("facts")


def _reliability(ax: Axes, content: dict[str, Any]) -> None:
    ax.plot([0, 1], [0, 1], color="#999999", linewidth=0.8)
    for colour, row in zip(INK, content["calibration"], strict=False):
        x = [b["confidence"] for b in row["bins"]]
        y = [b["right"] for b in row["bins"]]
        name = f"N = {row['facts']}, ECE {row['ece']:.3f}"
        ax.plot(x, y, "o-", color=colour, markersize=3.5, linewidth=1, label=name)
    ax.set_title("Posterior against truth")
    ax.set(xlabel="posterior of the best value", ylabel="right")
    ax.legend()
