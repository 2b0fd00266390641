"""Chapter 8: a public model says a fact that is on the tape, and no longer once it is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import Any

from renders.drawing import GREY, INK, MEMORY
from renders.film.script import Beat
from renders.film.stage import Stage

LINE = 66  # characters of a line of the model's text


class Lines:
    """A prompt and what the model says after it, where words from the tape stand out."""

    def __init__(self, stage: Stage, y: float, prompt: str, pieces: list[dict[str, Any]]) -> None:
        self.pieces = pieces
        text = prompt + "".join(p["text"] for p in pieces)
        lines = wrap(text.replace("\n", " "), LINE)[:2]
        owner = [None] * len(prompt)
        for i, piece in enumerate(pieces):
            owner += [i] * len(piece["text"])
        self.letters, at = [], 0
        for row, line in enumerate(lines):
            at = text.replace("\n", " ").index(line, at)
            for i, c in enumerate(line):
                piece = owner[at + i]
                colour = GREY if piece is None else MEMORY if pieces[piece]["tape"] else INK
                bold = piece is not None and pieces[piece]["tape"]
                x = 76 + 17.2 * i
                letter = stage.words(x, y - 40 * row, c, 27, colour, "left", bold, mono=True)
                letter.set_visible(piece is None)
                self.letters.append((piece, letter))
            at += len(line)

    def say(self, count: int) -> None:
        """Show the prompt and the first ``count`` pieces."""
        for piece, letter in self.letters:
            letter.set_visible(piece is None or piece < count)

    def clear(self) -> None:
        """Take all away."""
        for _, letter in self.letters:
            letter.set_visible(False)


def scene(stage: Stage, run: dict[str, Any]) -> Iterator[Beat]:
    """Without the fact, with it, elsewhere, and after it is forgotten."""
    stage.words(60, 606, f"{run['name']}, {run['parameters']:,} frozen weights", 24, GREY, "left")
    code = stage.words(60, 540, "", 26, MEMORY, "left", mono=True)
    asked, elsewhere = run["prompts"]["asked"], run["prompts"]["elsewhere"]
    first = Lines(stage, 450, asked, run["without"]["asked"])
    count = len(run["without"]["asked"])
    words = "A public model continues a sentence about a country that does not exist."
    yield Beat(words, count, lambda i: first.say(i + 1), pace=4)
    first.clear()
    code.set_text(f'tape.bind("{run["key"]}", "{run["value"]}")')
    second = Lines(stage, 450, asked, run["bound"]["asked"])
    count = len(run["bound"]["asked"])
    words = "Bind one fact to a tape beside it. The words in red were put there by the tape."
    yield Beat(words, count, lambda i: second.say(i + 1), pace=4, loop=True)
    yield from _elsewhere(stage, run, elsewhere)
    second.clear()
    code.set_text(f'tape.forget("{run["key"]}")')
    third = Lines(stage, 450, asked, run["forgotten"]["asked"])
    as_before = run["forgotten"]["asked"] == run["without"]["asked"]
    words = "it says what it said before" if as_before else "it says something else"
    words = f"Forget the fact, and {words}."
    yield Beat(words, count, lambda i: third.say(i + 1), pace=4)
    weights = "No weight has changed" if run["same_weights"] else "Weights HAVE changed"
    yield Beat(f"{weights}: the hash of all {run['parameters']:,} weights says so.")


def _elsewhere(stage: Stage, run: dict[str, Any], prompt: str) -> Iterator[Beat]:
    """The other prompt, which the fact must leave alone."""
    pieces = run["bound"]["elsewhere"]
    lines = Lines(stage, 310, prompt, pieces)
    same = pieces == run["without"]["elsewhere"]
    words = "it continues word for word as without the tape" if same else "it changes"
    text = f"Where nothing on the tape is asked for, {words}."
    yield Beat(text, len(pieces), lambda i: lines.say(i + 1), pace=4)
    lines.clear()
