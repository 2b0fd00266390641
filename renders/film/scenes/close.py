"""The end: what it is good for, what it is not, and two commands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from renders.drawing import GREY, INK, MEMORY, SYMBOLIC
from renders.film.script import Beat
from renders.film.stage import Stage

COMMANDS = ("make compare", "python examples/first_hour.py", "python -m renders.film")


def scene(stage: Stage, runs: dict[str, Any]) -> Iterator[Beat]:
    """Two lists from the data of the film, then the commands."""
    rotor, tape, text = runs["rotor"], runs["tape"], runs["text"]
    sizes = [run["parameters"] for run in (text, tape, rotor["prism"])]
    state = next(iter(text["state_bytes"].values()))
    can = (
        f"counts on: {rotor['prism']['beyond']:.0%} right past its training length",
        f"carries {state:,} bytes, however long the text",
        "learns and forgets facts without training",
    )
    cannot = (
        f"its models are small: {min(sizes):,} to {max(sizes):,} parameters",
        "one seed each: shown, not proven",
        "on real text no lead is claimed (README.md)",
    )
    stage.words(90, 566, "Seen in this film", 28, SYMBOLIC, "left", bold=True)
    for i, words in enumerate(can):
        stage.words(90, 516 - 44 * i, words, 24, INK, "left")
    yield Beat(f"It recalls ({tape['accuracy']:.0%} here), it counts, and its state does not grow.")
    stage.words(90, 352, "Its limits", 28, MEMORY, "left", bold=True)
    for i, words in enumerate(cannot):
        stage.words(90, 302 - 44 * i, words, 24, INK, "left")
    words = "The models of this film are small and have one seed. "
    yield Beat(words + "RESULTS.md has what was measured.")
    for i, words in enumerate(COMMANDS):
        stage.words(1200, 302 - 44 * i, words, 24, GREY, "right", mono=True)
    yield Beat("Run it yourself: the last of these commands made this film.", rest=3)
