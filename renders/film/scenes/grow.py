"""Chapter 7: a growth step makes the model larger and changes nothing that it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from renders.drawing import BUS, GREY, INK, MEMORY
from renders.film.script import Beat
from renders.film.stage import Stage

SMALL, LARGE = 165, 330  # pixels of the matrix before and after
BASE = 180


def scene(stage: Stage, run: dict[str, Any]) -> Iterator[Beat]:
    """One matrix before and after; the logits of both; their largest difference."""
    growth = run["growth"]
    before, after = (np.array(m) for m in growth["weights"])
    span = float(np.quantile(np.abs(after), 0.99)) or 1.0
    stage.heat(60, BASE + 85, SMALL, SMALL, before, "RdBu_r", (-span, span))
    width, layers, size = growth["width"], growth["layers"], growth["parameters"]
    stage.words(60, 580, f"{size[0]:,} parameters", 25, INK, "left", bold=True)
    stage.words(60, 546, f"width {width[0]}, {layers[0]} blocks", 22, GREY, "left")
    stage.words(60, 146, "a matrix of the bus in block 1", 20, GREY, "left")
    yield Beat("Training a small model is cheap. PRISM can start small and grow on the way.")
    stage.arrow((256, BASE + 168), (356, BASE + 168))
    grown = stage.heat(380, BASE, LARGE, LARGE, after * np.nan, "RdBu_r", (-span, span))
    stage.words(380, 580, f"{size[1]:,} parameters", 25, INK, "left", bold=True)
    stage.words(380, 546, f"width {width[1]}, {layers[1]} blocks", 22, GREY, "left")

    def fill(i: int) -> None:
        rows = round(after.shape[0] * (i + 1) / 24)
        grown.set_data(np.where(np.arange(len(after))[:, None] < rows, after, np.nan))

    words = "The old weights keep their places; what is new starts so that it adds nothing yet."
    yield Beat(words, 24, fill)
    small, large = (np.array(x) for x in growth["logits"])
    ax = stage.panel(810, 200, 420, 320)
    ax.set_xlim(0, len(small))
    low, high = small.min(), small.max()
    ax.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
    ax.set_xticks([])
    ax.vlines(np.arange(len(small)), low, small, color="#cfd9e4", linewidth=1.6)
    (dots,) = ax.plot([], [], "o", markersize=3.4, color=MEMORY)
    stage.words(780, 580, "logits of all bytes at the last token", 22, INK, "left")
    stage.words(780, 546, "before (lines)", 21, BUS, "left")
    stage.words(960, 546, "after (dots)", 21, MEMORY, "left")

    def read(i: int) -> None:
        n = round(len(large) * (i + 1) / 30)
        dots.set_data(np.arange(n), large[:n])

    words = "Both read the same sentence. Each dot of the larger model lands on its line."
    yield Beat(words, 30, read)
    largest = f"largest difference: {growth['difference']:.1e}"
    stage.words(780, 150, largest, 28, MEMORY, "left", bold=True)
    words = f"Largest difference of any logit: {growth['difference']:.1e} in double precision, "
    yield Beat(words + f"{growth['difference_fp32']:.1e} in single.")
