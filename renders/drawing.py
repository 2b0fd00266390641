"""A drawing board in pixels of README's width, and the few shapes that a diagram needs."""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import matplotlib

matplotlib.use("svg")

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

HERE = Path(__file__).resolve().parent
INK, GREY, PALE = "#222222", "#777777", "#f6f6f3"
BUS, NEURAL, MEMORY, SYMBOLIC = "#2b5c8a", "#8a6d1d", "#b8322a", "#3f7f56"
TINT = {BUS: "#e7eef5", NEURAL: "#f5efdf", MEMORY: "#f8e6e4", SYMBOLIC: "#e5f0e9", GREY: PALE}
DPI = 100
PNG_DPI = 200  # sharp on screens with two pixels per pixel
STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "svg.fonttype": "path",
    "svg.hashsalt": "prism",
}


def board(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty white board; x to the right and y upwards, in pixels."""
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_xlim(0, width)
    ax.set_ylim(0, height)
    ax.axis("off")
    return figure, ax


def box(ax: Axes, x: float, y: float, w: float, h: float, colour: str = GREY) -> None:
    """A rounded box with its lower left corner at (x, y)."""
    style = "round,pad=0,rounding_size=7"
    patch = FancyBboxPatch((x, y), w, h, boxstyle=style, facecolor=TINT[colour])
    patch.set(edgecolor=colour, linewidth=1.1, zorder=2)
    ax.add_patch(patch)


def text(
    ax: Axes,
    x: float,
    y: float,
    words: str,
    size: float = 8.5,
    colour: str = INK,
    align: str = "center",
    bold: bool = False,
) -> None:
    """Words whose middle height is y."""
    weight = "bold" if bold else "normal"
    ax.text(x, y, words, size=size, color=colour, ha=align, va="center", weight=weight, zorder=6)


def arrow(
    ax: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    colour: str = INK,
    width: float = 1.3,
    head: bool = True,
) -> None:
    """A straight line, with a head at ``end`` if asked for."""
    style = "-|>,head_length=4.5,head_width=2.4" if head else "-"
    patch = FancyArrowPatch(start, end, arrowstyle=style, shrinkA=0, shrinkB=0)
    patch.set(color=colour, linewidth=width, zorder=4, capstyle="round", joinstyle="miter")
    ax.add_patch(patch)


def path(ax: Axes, points: list[tuple[float, float]], colour: str = INK) -> None:
    """Straight pieces from point to point with a head at the last."""
    for start, end in pairwise(points):
        arrow(ax, start, end, colour, head=end == points[-1])


def plus(ax: Axes, x: float, y: float) -> None:
    """A sum sign in a circle."""
    ax.plot([x], [y], "o", markersize=13, color="white", markeredgecolor=INK, zorder=5)
    ax.plot([x], [y], "+", markersize=7, color=INK, markeredgewidth=1.3, zorder=6)


def folder(text: str) -> Path:
    """The value of ``--out``: a folder, or the name of one to be made.

    Raises:
        argparse.ArgumentTypeError: it is a file.
    """
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a file: must be a folder")
    return path


def save(figure: Figure, where: Path, name: str) -> list[Path]:
    """``name.svg`` and ``name.png`` in ``where``, the same bytes every time; the paths."""
    where.mkdir(parents=True, exist_ok=True)
    paths = [where / f"{name}.svg", where / f"{name}.png"]
    figure.savefig(paths[0], metadata={"Date": None})
    figure.savefig(paths[1], dpi=PNG_DPI, metadata={"Software": None})
    return paths
