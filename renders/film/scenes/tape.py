"""Chapter 4: a fact is written to the tape and read back some sentences later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.text import Text

from renders.drawing import GREY, INK, MEMORY
from renders.film.scenes.text_row import UNREAD
from renders.film.script import Beat
from renders.film.stage import Stage

LEFT, RIGHT, TOP, LINE = 60, 760, 596, 44
SIZE = 25
ADVANCE = 0.602 * SIZE  # width of a character
PALE = "#e6c3c0"


def scene(stage: Stage, run: dict[str, Any]) -> Iterator[Beat]:
    """The sentences, the numbers on the tape, and the answer with and without them."""
    words, tapes = run["words"], np.array(run["tapes"])
    letters = _paragraph(stage, words)
    span = float(np.quantile(np.abs(tapes), 0.995)) or 1.0
    side = 300
    tape = stage.heat(850, 290, side, side, tapes[0] * 0, "RdBu_r", (-span, span))
    stage.words(850, 614, "the tape of block 1", 23, MEMORY, "left", bold=True)
    rows, columns = tapes.shape[1:]
    stage.words(850, 264, f"{rows} × {columns} numbers, always", 21, GREY, "left")
    stage.words(LEFT, 226, "change of the tape at each token", 20, GREY, "left")
    written = np.array(run["written"])
    wide = (RIGHT - LEFT) / len(words)
    bars = [
        stage.fill(LEFT + wide * i, 130, wide * 0.8, 0, MEMORY, zorder=3) for i in range(len(words))
    ]
    fact = " ".join(words[:4])
    yield Beat(f"A small PRISM reads sentences. The first one says: “{fact}”.")

    def read(i: int) -> None:
        for j, letter in enumerate(letters):
            letter.set_color(UNREAD if j > i else INK)
            letter.set_weight("bold" if j == i else "normal")
        tape.set_data(tapes[i])
        bars[i].set_height(74 * written[i] / written.max())

    said = "Every token may write: a key (the token before) with a value, into one matrix."
    yield Beat(said, 5, read, pace=9)
    said = "More sentences are written over the same numbers; nothing is appended."
    yield Beat(said, len(words) - 5, lambda i: read(i + 5), pace=4, loop=True)
    yield from _answer(stage, run, letters)


def _paragraph(stage: Stage, words: list[str]) -> list[Text]:
    """The words, one sentence a line."""
    letters, x, y = [], float(LEFT), float(TOP)
    for word in words:
        x -= ADVANCE if word == "." else 0
        letters.append(stage.words(x, y, word, SIZE, UNREAD, "left", mono=True))
        x += ADVANCE * (len(word) + 1)
        if word == ".":
            x, y = LEFT, y - LINE
    return letters


def _answer(stage: Stage, run: dict[str, Any], letters: list[Text]) -> Iterator[Beat]:
    """Probability of every thing: with the tape, then with the tape emptied."""
    name, answer = run["words"][-3], run["answer"]
    things, whole, empty = run["things"], run["with_tape"], run["without_tape"]
    others = [k for k in np.argsort(empty)[::-1] if things[k] != answer][:2]
    order = [things.index(answer), *others]
    later = run["words"].count(".") - 1
    for i in (0, 1, 2, 3, len(letters) - 3, len(letters) - 2, len(letters) - 1):
        letters[i].set_color(MEMORY)
        letters[i].set_weight("bold")
    bars, shares = [], []
    for row, k in enumerate(order):
        y = 222 - 40 * row
        right = things[k] == answer
        stage.words(950, y, things[k], 23, MEMORY if right else INK, "right")
        bars.append(stage.fill(964, y - 13, 180 * whole[k], 26, MEMORY if right else PALE))
        shares.append(stage.words(972 + 180 * whole[k], y, f"{whole[k]:.1%}", 21, GREY, "left"))
    chance = whole[things.index(answer)]
    yield Beat(
        f"{later} sentences later: what does {name} keep? It says “{answer}”, with {chance:.1%}."
    )

    def drain(i: int) -> None:
        share = (i + 1) / 12
        for bar, words, k in zip(bars, shares, order, strict=True):
            now = whole[k] + share * (empty[k] - whole[k])
            bar.set_width(180 * now)
            words.set_x(972 + 180 * now)
            words.set_text(f"{now:.1%}" if i == 11 else "")

    left = empty[things.index(answer)]
    said = (
        f"Empty the tape before the question, and leave all else: “{answer}” falls to {left:.1%}."
    )
    yield Beat(said, 12, drain, rest=3)
    said = f"On rows it never saw it is right in {run['accuracy']:.0%} of the questions; "
    yield Beat(said + f"by chance in {run['chance']:.0%}.")
