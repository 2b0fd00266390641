"""The stage: one board of 1280 x 720 pixels that every scene draws on, and its fixed furniture.

A scene makes its artists once and moves them from frame to frame; the board is never rebuilt. Sizes
of words are in pixels: at half the size of the film none is below 9.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, Rectangle
from matplotlib.text import Text

from renders.drawing import DPI, GREY, INK, TINT

WIDTH, HEIGHT = 1280, 720
PAPER, BAND = "#fcfcfa", "#f0f0ec"
CAPTION_TOP = 104  # the captions' band is below, the scene above
CAPTION_LINE = 84  # characters
PAUSE = 40  # characters by which two lines may differ to be parted at a pause
MONO, SANS = "DejaVu Sans Mono", "DejaVu Sans"
POINT = 72 / DPI  # points of a pixel
RISE = 0.36  # of a line's size: half the height of its capitals


@dataclass(frozen=True)
class Chapter:
    """Name of a chapter, its number (0: none is shown), and where it lies in the film as shares
    of the whole."""

    name: str
    number: int
    begin: float
    end: float


class Stage:
    """The board of one scene; x to the right and y upwards, in pixels.

    Args:
        chapter: whose name and place are shown; None = a bare board.
    """

    def __init__(self, chapter: Chapter | None = None) -> None:
        size = (WIDTH / DPI, HEIGHT / DPI)
        self.figure = Figure(figsize=size, dpi=DPI, facecolor=PAPER)
        self.canvas = FigureCanvasAgg(self.figure)
        self.ax = self.figure.add_axes((0, 0, 1, 1))
        self.ax.set_xlim(0, WIDTH)
        self.ax.set_ylim(0, HEIGHT)
        self.ax.axis("off")
        self.fill(0, 0, WIDTH, CAPTION_TOP, BAND)
        self._caption = self.words(WIDTH / 2, 58, "", 25)
        self._caption.set(va="center", y=56, linespacing=1.35)
        if chapter is not None:
            self._furnish(chapter)

    def _furnish(self, chapter: Chapter) -> None:
        """Name of the chapter, and a line that shows where the film is."""
        if chapter.number:
            self.words(48, 676, f"{chapter.number}", 30, GREY, "left", bold=True)
            self.words(82, 676, chapter.name, 30, INK, "left", bold=True)
        self.fill(0, 0, WIDTH, 5, "#dcdcd6")
        self.fill(0, 0, WIDTH * chapter.end, 5, "#b9b9b2")
        self.fill(0, 0, WIDTH * chapter.begin, 5, "#8c8c85")

    def caption(self, words: str) -> None:
        """Say ``words`` in the band at the bottom, in one line or two."""
        self._caption.set_text("\n".join(caption_lines(words)))

    def words(
        self,
        x: float,
        y: float,
        text: str,
        size: float = 21,
        colour: str = INK,
        align: str = "center",
        bold: bool = False,
        mono: bool = False,
    ) -> Text:
        """A line of words whose capitals have their middle at y; ``size`` in pixels."""
        style = {"ha": align, "va": "baseline", "weight": "bold" if bold else "normal"}
        look = {"size": size * POINT, "color": colour, "family": MONO if mono else SANS}
        low = y - RISE * size  # words of one size at one y have one baseline
        return self.ax.text(x, low, text, parse_math=False, zorder=6, **style, **look)

    def box(self, x: float, y: float, w: float, h: float, colour: str = GREY) -> FancyBboxPatch:
        """A rounded box with its lower left corner at (x, y)."""
        style = "round,pad=0,rounding_size=10"
        patch = FancyBboxPatch((x, y), w, h, boxstyle=style, facecolor=TINT[colour])
        patch.set(edgecolor=colour, linewidth=1.6, zorder=2)
        self.ax.add_patch(patch)
        return patch

    def fill(self, x: float, y: float, w: float, h: float, colour: str, **look: Any) -> Rectangle:
        """A filled rectangle with its lower left corner at (x, y)."""
        patch = Rectangle((x, y), w, h, facecolor=colour, edgecolor="none", **look)
        self.ax.add_patch(patch)
        return patch

    def line(
        self, xs: list[float], ys: list[float], colour: str = INK, width: float = 2.0, **look: Any
    ) -> Line2D:
        """A line through points."""
        (drawn,) = self.ax.plot(xs, ys, color=colour, linewidth=width, **look)
        return drawn

    def arrow(self, start: tuple[float, float], end: tuple[float, float], colour: str = INK) -> Any:
        """A straight arrow."""
        look = {"arrowstyle": "-|>,head_length=0.6,head_width=0.3", "color": colour}
        look |= {"linewidth": 2.0, "shrinkA": 0, "shrinkB": 0}
        return self.ax.annotate("", end, start, arrowprops=look, zorder=4)

    def panel(self, x: float, y: float, w: float, h: float) -> Axes:
        """Axes of their own in a part of the board, with light lines."""
        ax = self.figure.add_axes((x / WIDTH, y / HEIGHT, w / WIDTH, h / HEIGHT))
        ax.set_facecolor("none")
        ax.spines[["top", "right"]].set_visible(False)
        ax.spines[["bottom", "left"]].set_color(GREY)
        ax.tick_params(labelsize=18 * POINT, colors=GREY, length=3)
        return ax

    def heat(
        self,
        x: float,
        y: float,
        w: float,
        h: float,
        values: np.ndarray,
        colours: Any,
        span: tuple[float, float],
    ) -> Any:
        """A matrix as colours in a part of the board; its ``set_data`` moves it."""
        ax = self.figure.add_axes((x / WIDTH, y / HEIGHT, w / WIDTH, h / HEIGHT))
        ax.axis("off")
        look = {"aspect": "auto", "interpolation": "nearest", "cmap": colours}
        return ax.imshow(values, vmin=span[0], vmax=span[1], **look)

    def frame(self) -> np.ndarray:
        """The board as it is now, ``[720, 1280, 3]`` bytes."""
        self.canvas.draw()
        return np.asarray(self.canvas.buffer_rgba())[..., :3].copy()


def caption_lines(words: str) -> list[str]:
    """A caption in one line or in two, of about the same length or parted at a pause.

    Raises:
        ValueError: it needs a third.
    """
    lines = textwrap.wrap(words, CAPTION_LINE, break_on_hyphens=False)
    if len(lines) > 2:
        raise ValueError(f"caption {words!r}: must fit into two lines of {CAPTION_LINE}")
    if len(lines) < 2:
        return lines
    spaces = [i for i, c in enumerate(words) if c == " "]
    fitting = [i for i in spaces if max(i, len(words) - i - 1) <= CAPTION_LINE]
    best = min(fitting, key=lambda i: abs(2 * i - len(words)) - PAUSE * (words[i - 1] in ".:;,"))
    return [words[:best], words[best + 1 :]]
