"""A line of text whose bytes stand in columns of equal width, and are lit as they are read."""

from __future__ import annotations

from matplotlib.text import Text

from renders.drawing import INK
from renders.film.stage import Stage

UNREAD = "#c4c4bd"
SPACE = "·"


def shown(character: str) -> str:
    """A character as it can be seen."""
    return SPACE if character == " " else character


class TextRow:
    """Characters in columns: ``x`` of the first, ``step`` between them, ``y`` of their middle."""

    def __init__(
        self, stage: Stage, text: str, x: float, y: float, step: float, size: float
    ) -> None:
        self.x, self.step = x, step
        self.letters: list[Text] = [
            stage.words(self.at(i), y, shown(c), size, UNREAD, mono=True)
            for i, c in enumerate(text)
        ]

    def at(self, i: int) -> float:
        """The middle of column i."""
        return self.x + (i + 0.5) * self.step

    def read(self, count: int, colour: str = INK) -> None:
        """Light the first ``count`` characters."""
        for i, letter in enumerate(self.letters):
            letter.set_color(colour if i < count else UNREAD)
