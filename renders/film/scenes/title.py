"""The opening: what the film is about; and the poster made of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from renders.drawing import BUS, GREY, MEMORY, NEURAL, SYMBOLIC
from renders.film.script import Beat
from renders.film.stage import Stage

PARTS = (
    ("bus", "time scales", BUS),
    ("neural", "computes", NEURAL),
    ("memory", "recalls", MEMORY),
    ("symbolic", "counts", SYMBOLIC),
)


def scene(stage: Stage, runs: dict[str, Any]) -> Iterator[Beat]:
    """Name, the four parts, and a promise about the numbers."""
    stage.words(640, 560, "PRISM", 96, bold=True)
    stage.words(640, 476, "a recurrent language model with a shared tape", 30, GREY)
    boxes = []
    for i, (name, does, colour) in enumerate(PARTS):
        x = 178 + 236 * i
        made = (
            stage.box(x, 250, 216, 120, colour),
            stage.words(x + 108, 330, name, 28, colour, bold=True),
            stage.words(x + 108, 288, does, 24),
        )
        for artist in made:
            artist.set_visible(False)
        boxes.append(made)

    def appear(i: int) -> None:
        for artist in boxes[i]:
            artist.set_visible(True)

    words = "PRISM reads text with fixed memory. Four parts share the work."
    yield Beat(words, len(PARTS), appear, pace=9)
    stage.words(640, 176, "every moving number in this film is from a real run", 24, GREY)
    yield Beat("Every number that moves in this film comes from a run that its command makes.")


def poster(stage: Stage) -> np.ndarray:
    """The picture that leads to the film, from the stage at the end of the scene."""
    stage.caption("▶  watch the film (with captions)")
    return stage.frame()
