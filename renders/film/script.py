"""The script: beats to frames with durations, and captions with their times.

A scene yields a :class:`Beat` for each thing it says. Time is counted in ticks of 1/12 second, so
that the times of captions, chapters and frames agree exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from renders.film.stage import Chapter, Stage

TICKS = 12  # in a second; also the most frames of a second
READING = 15.0  # characters that are read in a second
SETTLE = 1.4  # seconds before and after the reading of a caption


@dataclass(frozen=True)
class Beat:
    """One caption and what moves while it stands.

    Args:
        caption: the words.
        steps: number of frames that move.
        draw: moves the artists to frame i in 0..steps-1; None = they stand.
        pace: ticks that each of them lasts.
        rest: least seconds that the last frame stands.
        loop: the beat is part of the short loop.
    """

    caption: str
    steps: int = 1
    draw: Callable[[int], None] | None = None
    pace: int = 1
    rest: float = 1.5
    loop: bool = False

    @property
    def ticks(self) -> int:
        """Length: what moves and the rest, and no less than the reading takes."""
        moving = self.steps * self.pace if self.draw is not None else 0
        reading = SETTLE + len(self.caption) / READING
        return max(moving + round(TICKS * self.rest), round(TICKS * reading))


@dataclass(frozen=True)
class Frame:
    """A picture and the ticks that it stands."""

    pixels: np.ndarray
    ticks: int
    loop: bool


@dataclass(frozen=True)
class Caption:
    """Words, and the ticks between which they stand."""

    words: str
    begin: int
    end: int


@dataclass
class Timeline:
    """Captions of a film and its chapters, as they are played."""

    captions: list[Caption] = field(default_factory=list)
    chapters: list[tuple[str, int, int]] = field(default_factory=list)
    ticks: int = 0

    def add(self, name: str, beats: list[Beat]) -> None:
        """The beats of the next chapter."""
        begin = self.ticks
        for beat in beats:
            self.captions.append(Caption(beat.caption, self.ticks, self.ticks + beat.ticks))
            self.ticks += beat.ticks
        self.chapters.append((name, begin, self.ticks))

    def chapter(self, index: int) -> Chapter:
        """Chapter ``index`` as the stage shows it; the first and the last have no number."""
        name, begin, end = self.chapters[index]
        number = index if 0 < index < len(self.chapters) - 1 else 0
        return Chapter(name, number, begin / self.ticks, end / self.ticks)


def play(stage: Stage, beats: Iterator[Beat]) -> Iterator[Frame]:
    """The frames of a scene; equal ones in a row are one that stands longer."""
    waiting: Frame | None = None
    for beat in beats:
        stage.caption(beat.caption)
        left = beat.ticks
        for i in range(beat.steps):
            if beat.draw is not None:
                beat.draw(i)
            ticks = beat.pace if i < beat.steps - 1 else left
            left -= ticks
            frame = Frame(stage.frame(), ticks, beat.loop)
            if waiting is None:
                waiting = frame
            elif waiting.loop == beat.loop and np.array_equal(waiting.pixels, frame.pixels):
                waiting = Frame(waiting.pixels, waiting.ticks + ticks, waiting.loop)
            else:
                yield waiting
                waiting = frame
    if waiting is not None:
        yield waiting


def rehearse(beats: Iterator[Beat]) -> list[Beat]:
    """The beats of a scene without a frame being drawn. What a scene does between two beats is done
    with the artists where the last frame of the one leaves them."""
    found = []
    for beat in beats:
        if beat.draw is not None:
            beat.draw(beat.steps - 1)
        found.append(beat)
    return found
