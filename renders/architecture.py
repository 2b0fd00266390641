"""``python -m renders.architecture``: the stack, one block enlarged, and the tape beside it.

The curves of the bus are those of the default config; nothing else in the picture has a number.
"""

from __future__ import annotations

import itertools
import sys

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Polygon

from prism.command import Parser
from prism.config import PrismConfig
from renders.drawing import (
    BUS,
    GREY,
    HERE,
    MEMORY,
    NEURAL,
    STYLE,
    SYMBOLIC,
    arrow,
    board,
    box,
    folder,
    path,
    plus,
    save,
    text,
)

WIDTH, HEIGHT = 900, 640
STREAM = 234  # x of the residual stream inside the enlarged block
BLOCK = (194, 22, 494, 596)  # x, y, width, height of the enlarged block
LEFT, MIDDLE, RIGHT = 276, 464, 652  # edges and middle of what the block holds
CLEAN = 668  # x of the line that leads around the bus
TAPE = (752, 92, 112, 456)


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = Parser(prog="python -m renders.architecture", description=__doc__)
    p.add_argument("--out", type=folder, default=HERE, metavar="DIR")
    args = p.parse_args(argv)
    with matplotlib.rc_context(STYLE):
        paths = save(architecture(), args.out, "architecture")
    print("\n".join(str(path) for path in paths))
    return 0


def architecture() -> Figure:
    """The whole picture."""
    figure, ax = board(WIDTH, HEIGHT)
    _enlarged_frame(ax)
    _stack(ax)
    _stream(ax)
    _bus(ax, figure)
    _router(ax)
    _kinds(ax)
    _around_the_bus(ax)
    _tape(ax)
    return figure


def _enlarged_frame(ax: Axes) -> None:
    x, y, w, h = BLOCK
    cone = [(144, 300), (x, y + 6), (x, y + h - 6), (144, 344)]
    ax.add_patch(Polygon(cone, facecolor="#f1f1ed", edgecolor="none", zorder=0))
    style = "round,pad=0,rounding_size=12"
    frame = FancyBboxPatch((x, y), w, h, boxstyle=style, facecolor="#fbfbf9", zorder=1)
    frame.set(edgecolor="#cfcfc8", linewidth=1.2)
    ax.add_patch(frame)


def _stack(ax: Axes) -> None:
    """Tokens at the bottom, the next token at the top."""
    left, width, middle = 24, 120, 84
    steps = [
        (72, 34, "embedding, norm"),
        (142, 44, "block 1"),
        (212, 44, "block 2"),
        (300, 44, "block $l$"),
        (388, 44, "block $L$"),
        (474, 44, "norm, tied head"),
    ]
    text(ax, middle, 36, "tokens", bold=True)
    arrow(ax, (middle, 46), (middle, 72))
    for (y, h, words), following in zip(steps, [*steps[1:], None], strict=True):
        colour = BUS if "$l$" in words else GREY
        box(ax, left, y, width, h, colour)
        text(ax, middle, y + h / 2, words, bold="$l$" in words)
        if following is not None:
            arrow(ax, (middle, y + h), (middle, following[0]))
    for y in (278, 366):
        ax.plot([middle], [y], "s", markersize=15, color="white", zorder=5)
        text(ax, middle, y, "⋮", size=13)
    arrow(ax, (middle, 518), (middle, 552))
    text(ax, middle, 564, "next token", bold=True)


def _stream(ax: Axes) -> None:
    """The residual stream through the block, with its two sums."""
    arrow(ax, (STREAM, 22), (STREAM, 618), GREY, 2.6, head=False)
    text(ax, STREAM - 15, 150, "residual stream", colour=GREY)
    ax.texts[-1].set_rotation(90)
    for y in (247, 590):
        plus(ax, STREAM, y)


def _bus(ax: Axes, figure: Figure) -> None:
    """Branch, norm, bus with its rates, and back."""
    x, y, w, h = LEFT, 62, RIGHT - LEFT, 160
    box(ax, x, y, w, h, BUS)
    _branch(ax, 42, y)
    path(ax, [(MIDDLE, y + h), (MIDDLE, 247), (STREAM + 8, 247)])
    text(ax, x + 14, 205, "Multi-Rate Bus", bold=True, colour=BUS, align="left", size=9.5)
    text(ax, x + 130, 205, "mixes tokens in linear time", align="left", colour=GREY)
    column = x + 184
    text(
        ax,
        column,
        170,
        "$h_k(t) = a_k(t)\\,h_k(t{-}1) + \\sqrt{1{-}a_k^2}\\,z_k(t)$",
        8.5,
        align="left",
    )
    text(ax, column, 138, "$a_k = 2^{-r_k(x_t)/\\mathrm{half\\,life}_k}$", 8.5, align="left")
    text(ax, column, 106, "each rate has a gate $g_k(x_t)$", align="left")
    text(ax, column, 86, "set by every token", align="left")
    inset = figure.add_axes(((x + 20) / WIDTH, 100 / HEIGHT, 150 / WIDTH, 84 / HEIGHT))
    _retention_curves(inset)


def _retention_curves(ax: Axes) -> None:
    """Retention of a token over time, one curve per rate."""
    lives = PrismConfig(vocab_size=2).bus_half_lives
    ago = np.geomspace(0.05, 8 * lives[-1], 300)
    for i, life in enumerate(lives):
        shade = 0.25 + 0.75 * i / max(1, len(lives) - 1)
        colour = tuple(1 - shade * (1 - c) for c in matplotlib.colors.to_rgb(BUS))
        ax.plot(ago, 2 ** (-ago / life), color=colour, linewidth=1.4)
    ax.set_xscale("log", base=2)
    ax.set_facecolor("none")
    ax.set_xlim(ago[0], ago[-1])
    ax.set_ylim(0, 1.06)
    ax.set_yticks([])
    marks = [1, 16, 256, 4096]
    ax.set_xticks(marks, [f"{mark:,}" for mark in marks], size=7, color=GREY)
    ax.minorticks_off()
    ax.tick_params(length=2, pad=2, color=GREY)
    ax.set_xlabel("tokens ago", size=7, color=GREY, labelpad=1)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.spines["bottom"].set_color(GREY)


def _router(ax: Axes) -> None:
    """The second branch: norm, router with the shares of one token."""
    x, y, w, h = LEFT, 300, RIGHT - LEFT, 62
    _branch(ax, 279, y)
    box(ax, x, y, w, h)
    text(ax, x + 14, 345, "Router", bold=True, align="left", size=9.5)
    text(
        ax, x + 72, 345, "what kind of computation does this token get?", colour=GREY, align="left"
    )
    text(ax, x + 14, 319, "$p = \\mathrm{softmax}(W x_t)$", align="left")
    left, span = x + 130, 232
    for share, colour in ((0.3, NEURAL), (0.18, SYMBOLIC), (0.52, MEMORY)):
        ax.barh(319, share * span - 2, 11, left=left, color=colour, alpha=0.85, zorder=5)
        left += share * span


def _kinds(ax: Axes) -> None:
    """The three kinds side by side, and their weighted sum."""
    kinds = [
        (
            LEFT,
            NEURAL,
            "neural",
            ["a gated network of", "this token and", "the three before"],
            "$p_1$",
        ),
        (
            LEFT + 130,
            SYMBOLIC,
            "symbolic",
            ["one machine for all", "blocks: units, dials,", "registers"],
            "$p_2$",
        ),
        (
            LEFT + 260,
            MEMORY,
            "memory",
            ["recalls by content", "(shared tape) and", "position (own ring)"],
            "$p_3$",
        ),
    ]
    for x, colour, name, words, weight in kinds:
        middle = x + 58
        arrow(ax, (middle, 362), (middle, 396), colour)
        box(ax, x, 396, 116, 100, colour)
        text(ax, middle, 480, name, bold=True, colour=colour, size=9.5)
        for i, line in enumerate(words):
            text(ax, middle, 459 - 16 * i, line, 8)
        arrow(ax, (middle, 496), (middle, 532), colour)
        text(ax, middle + 14, 513, weight, colour=colour)
    box(ax, LEFT, 532, RIGHT - LEFT, 34)
    text(ax, MIDDLE, 549, "weighted sum: all kinds, or the top $k$ of them")
    path(ax, [(MIDDLE, 566), (MIDDLE, 590), (STREAM + 8, 590)])


def _around_the_bus(ax: Axes) -> None:
    """Input of the symbolic kind: the embedding, past the stream, the bus and the router."""
    level, end, crossed, below, side = 379, MIDDLE + 26, LEFT + 318, 10, 168
    corners = [(144, 89), (side, 89), (side, below), (CLEAN, below), (CLEAN, level)]
    for a, b in itertools.pairwise(corners):
        arrow(ax, a, b, SYMBOLIC, head=False)
    # a gap lets the router's arrow through
    arrow(ax, (CLEAN, level), (crossed + 7, level), SYMBOLIC, head=False)
    path(ax, [(crossed - 7, level), (end, level), (end, 396)], SYMBOLIC)
    text(ax, CLEAN + 10, 142, "reads the token itself", 8, SYMBOLIC)
    ax.texts[-1].set_rotation(90)


def _tape(ax: Axes) -> None:
    """One register through all layers; the enlarged block reads and writes it."""
    x, y, w, h = TAPE
    middle = x + w / 2
    text(ax, middle, 602, "Shared tape", bold=True, colour=MEMORY, size=9.5)
    text(ax, middle, 584, "one for all layers", colour=GREY)
    box(ax, x, y, w, h, MEMORY)
    _cells(ax)
    arrow(ax, (x + w - 20, 112), (x + w - 20, y + h - 8), MEMORY, 1.0)
    for label, level in (("1", 150), ("2", 230), ("$l$", 445), ("$L$", 510)):
        ax.plot([x + w - 20], [level], "o", markersize=15, color="white", markeredgecolor=MEMORY)
        ax.lines[-1].set_zorder(5)
        text(ax, x + w - 20, level, label, 8, MEMORY)
    arrow(ax, (RIGHT, 420), (x, 420), MEMORY)
    arrow(ax, (x, 470), (RIGHT, 470), MEMORY)
    text(ax, 718, 481, "read", 8, MEMORY)
    text(ax, 718, 431, "write", 8, MEMORY)
    text(ax, 720, 404, "$+\\, k\\,u^{\\top}$", 8.5, MEMORY)
    text(ax, middle, 70, "block $l$ sees what blocks", 8, GREY)
    text(ax, middle, 55, "$1 \\ldots l$ have written", 8, GREY)
    text(ax, middle, 33, "its size never grows", 8, GREY)


def _cells(ax: Axes) -> None:
    """The register as a matrix of cells, some full and some empty."""
    x, y = TAPE[:2]
    columns, rows = 4, 27
    strength = np.random.default_rng(3).beta(1.2, 2.2, size=(rows, columns))
    size = 15.2
    for row in range(rows):
        for column in range(columns):
            cell = FancyBboxPatch(
                (x + 11 + column * size, y + 16 + row * size * 1.03),
                size - 3,
                size - 3,
                boxstyle="round,pad=0,rounding_size=2",
                facecolor=MEMORY,
                edgecolor="none",
                alpha=float(0.08 + 0.7 * strength[row, column]),
                zorder=3,
            )
            ax.add_patch(cell)


def _branch(ax: Axes, y: float, top: float) -> None:
    """From the stream at height ``y`` through a norm and up to ``top``."""
    arrow(ax, (STREAM, y), (LEFT + 24, y), head=False)
    box(ax, LEFT + 24, y - 10, 48, 20)
    text(ax, LEFT + 48, y, "norm", 8)
    path(ax, [(LEFT + 72, y), (MIDDLE, y), (MIDDLE, top)])


if __name__ == "__main__":
    sys.exit(main())
