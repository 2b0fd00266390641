"""Chapter 3: the weight of each kind of computation for every byte of a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.patches import Rectangle

from renders.drawing import GREY, INK, MEMORY, NEURAL, SYMBOLIC
from renders.film.scenes.text_row import TextRow
from renders.film.script import Beat
from renders.film.stage import Stage

COLOURS = {"neural": NEURAL, "memory": MEMORY, "symbolic": SYMBOLIC}
DOES = {
    "neural": "a gated network over four tokens",
    "memory": "reads the tape",
    "symbolic": "exact counting machines",
}
LEFT, RIGHT, BOTTOM, TOP = 60, 1220, 160, 420


def scene(stage: Stage, run: dict[str, Any]) -> Iterator[Beat]:
    """Columns of shares byte by byte in the block that varies most; then means by sort of byte."""
    text, router = run["text"], run["router"]
    kinds = router["kinds"]
    layers = np.array(router["layers"])  # [L, T, E]
    block = int(layers.std(1).sum(-1).argmax())
    for i, kind in enumerate(kinds):
        x = 70 + 390 * i
        stage.fill(x, 556, 26, 26, COLOURS[kind], zorder=3)
        stage.words(x + 40, 570, kind, 25, COLOURS[kind], "left", bold=True)
        stage.words(x, 530, DOES[kind], 21, INK, "left")
    row = TextRow(stage, text, LEFT, 462, (RIGHT - LEFT) / len(text), 22)
    yield Beat(f"In every block a router weighs {len(kinds)} kinds of computation for each token.")
    columns = _columns(stage, layers[block], kinds, row)

    def read(i: int) -> None:
        row.read(i + 1)
        for patch in columns[i]:
            patch.set_visible(True)

    words = f"Block {block + 1}, byte by byte: the taller a colour, the more its kind counts."
    yield Beat(words, len(text), read, pace=2, loop=True)
    for patches in columns:
        for patch in patches:
            patch.set_visible(False)
    for letter in row.letters:
        letter.set_visible(False)
    yield _means(stage, router["sorts"][block], kinds)
    names = [(name, row["share"]) for name, row in router["sorts"][block].items() if row["count"]]
    yield Beat(_contrast(names, kinds))


def _columns(
    stage: Stage, shares: np.ndarray, kinds: list[str], row: TextRow
) -> list[list[Rectangle]]:
    """One stack of bars per byte, not to be seen yet."""
    columns = []
    for i, share in enumerate(shares):
        stack, y = [], float(BOTTOM)
        for kind, part in zip(kinds, share, strict=True):
            tall = (TOP - BOTTOM) * part
            look = {"zorder": 3, "visible": False}
            x = row.at(i) - row.step * 0.44
            stack.append(stage.fill(x, y, row.step * 0.88, tall, COLOURS[kind], **look))
            y += tall
        columns.append(stack)
    return columns


def _means(stage: Stage, sorts: dict[str, Any], kinds: list[str]) -> Beat:
    """One bar per sort of byte."""
    counted = sum(row["count"] for row in sorts.values())
    for i, (name, row) in enumerate(sorts.items()):
        y, x = 420 - 72 * i, 300.0
        stage.words(280, y, name, 25, INK, "right")
        for kind, part in zip(kinds, row["share"], strict=True):
            wide = 860 * part
            stage.fill(x, y - 22, wide - 2, 44, COLOURS[kind], zorder=3)
            if wide > 70:
                stage.words(x + wide / 2, y, f"{part:.0%}", 22, "white", bold=True)
            x += wide
        stage.words(1180, y, f"{row['count']:,}", 20, GREY, "left")
    words = f"The mean over {counted:,} held-out bytes, by sort of byte "
    return Beat(words + "(their number at the right).")


def _contrast(names: list[tuple[str, list[float]]], kinds: list[str]) -> str:
    """The largest difference between two sorts of byte, in words."""
    best = max(
        ((high, low, e) for high in names for low in names for e in range(len(kinds))),
        key=lambda found: found[0][1][found[2]] - found[1][1][found[2]],
    )
    high, low, e = best
    words = f"The {kinds[e]} kind counts most for {high[0]} ({high[1][e]:.0%}) "
    words += f"and least for {low[0]} ({low[1][e]:.0%}). "
    return words + "Nobody told it to: this is learned."
