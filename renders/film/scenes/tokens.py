"""Chapter 1: bytes enter one at a time, and after each the model says what may follow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from renders.drawing import BUS, GREY, INK
from renders.film.scenes.text_row import TextRow, shown
from renders.film.script import Beat
from renders.film.stage import Stage

PALE, BAR = "#c9d5e1", 420
LEFT, TOP, STEP = 786, 420, 56


def scene(stage: Stage, run: dict[str, Any]) -> Iterator[Beat]:
    """The text, the byte being read, and the five likeliest next bytes."""
    text, guesses = run["text"], run["guesses"]
    row = TextRow(stage, text, 60, 580, 1160 / len(text), 23)
    marker = stage.fill(0, 556, 1160 / len(text), 46, "#dfe8f1", zorder=1)
    marker.set_visible(False)
    yield Beat("PRISM reads text one token at a time. Here a token is a byte: a letter or a space.")
    stage.box(440, 246, 240, 190, BUS)
    stage.words(560, 366, "PRISM", 34, BUS, bold=True)
    stage.words(560, 312, f"{run['parameters']:,}", 24)
    stage.words(560, 282, "parameters", 21, GREY)
    stage.arrow((300, 341), (436, 341))
    stage.arrow((684, 341), (756, 341))
    now = stage.words(220, 341, "", 110, mono=True)
    stage.words(220, 214, "this byte", 23, GREY)
    stage.words(LEFT, 476, "what may follow", 23, GREY, "left")
    bars = [stage.fill(LEFT + 44, TOP - STEP * i - 16, 0, 32, PALE, zorder=2) for i in range(5)]
    names = [stage.words(LEFT + 16, TOP - STEP * i, "", 30, mono=True) for i in range(5)]
    shares = [stage.words(LEFT, TOP - STEP * i, "", 21, GREY, "left") for i in range(5)]

    def read(i: int) -> None:
        row.read(i + 1)
        marker.set_visible(True)
        marker.set_x(row.at(i) - row.step / 2)
        now.set_text(shown(text[i]))
        for k, (byte, chance) in enumerate(guesses[i]["top"]):
            character = chr(byte) if 32 <= byte < 127 else "↵" if byte == 10 else "?"
            came = character == text[i + 1]
            bars[k].set_width(max(2, BAR * chance))
            bars[k].set_facecolor(BUS if came else PALE)
            names[k].set_text(shown(character))
            names[k].set_color(BUS if came else INK)
            shares[k].set_x(LEFT + 56 + BAR * chance)
            shares[k].set_text(f"{chance:.0%}")

    read(0)
    steps = f"It trained for {run['steps']} steps on the manual of Python; "
    yield Beat(steps + "this is text it never saw.")
    words = "After every byte it says how likely each next byte is. The one that came is dark."
    yield Beat(words, len(guesses), read, pace=3)
    held = sum(g["bits"] for g in guesses) / len(guesses)
    stage.words(60, 150, f"this sentence: {held:.2f} bits per byte", 23, INK, "left")
    every = f"all held-out text: {run['bits_per_byte']:.2f}"
    stage.words(1220, 150, every, 23, INK, "right")
    words = f"On text it never saw it needs {run['bits_per_byte']:.2f} bits per byte; "
    yield Beat(words + "guessing blindly needs 8.")
    few, many = run["state_bytes"].items()
    words = f"What it carries on is {few[1]:,} bytes after {int(few[0]):,} tokens, "
    yield Beat(words + f"and {many[1]:,} after {int(many[0]):,}.")
