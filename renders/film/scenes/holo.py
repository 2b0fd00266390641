"""Chapter 6: bind, recall, "unknown" and forget, with the noise of the register."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from renders.drawing import GREY, INK, MEMORY
from renders.film.script import Beat
from renders.film.stage import Stage

ROWS, COLUMNS = 8, 30  # of the numbers of the register that are shown
PALE = "#b9b9b2"


class Board:
    """The operation, the register as colours, and the score of every value as a dot."""

    def __init__(self, stage: Stage, run: dict[str, Any]) -> None:
        self.run = run
        self.operation = stage.words(60, 606, "", 25, MEMORY, "left", mono=True)
        self.strip = stage.heat(60, 300, 500, 230, np.zeros((ROWS, COLUMNS)), "RdBu_r", (-8, 8))
        shown = ROWS * COLUMNS
        stage.words(60, 552, f"{shown} of the {run['dim']:,} sums", 21, GREY, "left")
        self.facts = stage.words(60, 262, "", 23, INK, "left")
        self.noise = stage.words(60, 222, "", 23, INK, "left")
        self.answer = stage.words(60, 160, "", 34, MEMORY, "left", bold=True)
        self.ax = stage.panel(700, 180, 520, 350)
        self.ax.set_xlim(-1, run["candidates"])
        self.ax.set_ylim(-5, 34)
        self.ax.set_xticks([])
        self.ax.set_yticks([0, 10, 20, 30])
        self.ax.axhspan(-1, 1, color="#eeeeea", zorder=0)
        self.ax.axhline(run["threshold"], color=INK, linewidth=1.5, linestyle="--")
        self.title = stage.words(660, 560, "", 21, GREY, "left")
        stage.words(960, 150, f"the {run['candidates']} values that may be answered", 20, GREY)
        colours = [MEMORY] * len(run["values"])
        colours += [PALE] * (run["candidates"] - len(colours))
        places = np.arange(run["candidates"])
        self.dots = self.ax.scatter(places, places * np.nan, c=colours, s=46, zorder=3)
        self.name = self.ax.text(0, 0, "", size=16, color=MEMORY, va="center")

    def show(self, look: dict[str, Any]) -> None:
        """One look at the tape."""
        scores = np.array(look["scores"])
        self.operation.set_text(look["operation"])
        self.strip.set_data(np.array(look["strip"])[: ROWS * COLUMNS].reshape(ROWS, COLUMNS))
        count = look["facts"]
        word = "fact" if count == 1 else "facts"
        self.facts.set_text(f"{count} {word}, {self.run['bytes']:,} bytes")
        self.noise.set_text(f"noise of a read: {look['noise']:.3f}")
        self.title.set_text(f"scores for “{look['key']}”, in units of the noise")
        self.dots.set_offsets(np.stack([np.arange(len(scores)), scores], axis=1))
        best = int(scores.argmax())
        named = look["answer"] is not None
        self.name.set_text(f"  {look['answer']}" if named else "")
        self.name.set_position((best + 1, scores[best]))


def scene(stage: Stage, run: dict[str, Any]) -> Iterator[Beat]:
    """Facts are bound; the first is asked for, then one that was never bound; one is forgotten."""
    board = Board(stage, run)
    board.show(run["steps"][0])
    words = f"A HoloTape is a fixed array of {run['dim']:,} sums beside the weights. "
    yield Beat(words + "Nothing is trained.")
    board.show(run["steps"][1])
    yield Beat("To bind a fact is to add one random-looking pattern of +1 and −1 to the array.")
    steps = run["steps"][2:]
    words = "More facts go into the same numbers. Each one is noise to the others: the score sinks."
    yield Beat(words, len(steps), lambda i: board.show(steps[i]), pace=12, loop=True)
    yield from _asked(board, run)


def _asked(board: Board, run: dict[str, Any]) -> Iterator[Beat]:
    known, stranger, forgotten = run["known"], run["stranger"], run["forgotten"]
    board.show(known)
    board.answer.set_text(str(known["answer"]))
    score = max(known["scores"])
    words = f"Asked for the first: its value stands {score:.1f} noise units high; the line is at "
    yield Beat(words + f"{run['threshold']:.1f}.")
    board.show(stranger)
    board.answer.set_text(_said(stranger))
    words = "Asked for a key that was never bound, no value passes the line, which lets "
    yield Beat(words + f"{run['alpha']:.0%} of strangers through: “{_said(stranger)}”.", loop=True)
    board.show(forgotten)
    board.answer.set_text(_said(forgotten))
    yield Beat(f"To forget is to subtract the same pattern. Asked again: “{_said(forgotten)}”.")
    same = "equal, number by number, to one" if run["as_if_never"] else "NOT equal to one"
    yield Beat(f"The array is now {same} that never held the fact.")


def _said(look: dict[str, Any]) -> str:
    """The answer in words."""
    return "unknown" if look["answer"] is None else str(look["answer"])
