"""Chapter 5: a rotor counts on past the training length, and a Transformer beside it fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from renders.drawing import GREY, INK, NEURAL, SYMBOLIC
from renders.film.script import Beat
from renders.film.stage import Stage

RADIUS, CENTRE = 92, (190, 408)
WRONG = "#b8322a"
TURN = 240  # steps of a rotor's full turn
SMOOTH = 8  # positions that a point of the curves is the mean of


def scene(stage: Stage, run: dict[str, Any]) -> Iterator[Beat]:
    """The rotor's hand, the two answers, and accuracy against position."""
    modulus, trained, length = run["modulus"], run["train_length"], run["length"]
    hand = _dial(stage, run)
    digit = stage.words(430, 470, "", 64, mono=True)
    stage.words(430, 410, "digit", 21, GREY)
    total = stage.words(430, 330, "", 64, mono=True, bold=True)
    stage.words(430, 270, f"sum mod {modulus}", 21, GREY)
    says = {}
    for name, x, colour in (("prism", 180, SYMBOLIC), ("transformer", 430, NEURAL)):
        stage.words(x, 200, shown(name), 23, colour, bold=True)
        says[name] = stage.words(x, 152, "", 44, mono=True, bold=True)
    curves, limit = _curves(stage, run)
    yield Beat(f"The task: the sum of all digits so far, modulo {modulus}, at every position.")

    def read(i: int) -> None:
        angle = np.pi / 2 - 2 * np.pi * run["rotor"]["counts"][i] / TURN
        x, y = CENTRE
        hand.set_data([x, x + RADIUS * np.cos(angle)], [y, y + RADIUS * np.sin(angle)])
        digit.set_text(str(run["digits"][i]))
        total.set_text(str(run["sums"][i]))
        for name, words in says.items():
            said = run[name]["said"][i]
            words.set_text(str(said))
            words.set_color(SYMBOLIC if said == run["sums"][i] else WRONG)
        for name, curve in curves.items():
            line = smoothed(run[name]["accuracy"])[: i + 1]
            curve.set_data(range(1, i + 2), line)

    words = f"Two models of one size, {run['steps']} steps each, on rows of {trained}. "
    words += "A rotor turns with the sum."
    yield Beat(words, trained, read, pace=3)
    limit.set_visible(True)
    words = f"Past {trained} digits neither has ever been trained. The rotor just keeps turning."
    every = max(1, (length - trained) // 112)
    places = list(range(trained, length, every))
    places = places if places[-1] == length - 1 else [*places, length - 1]
    yield Beat(words, len(places), lambda i: read(places[i]), pace=1, loop=True)
    prism, other = run["prism"], run["transformer"]
    words = f"Right within {trained} digits: PRISM {prism['within']:.1%}, Transformer "
    words += f"{other['within']:.1%}. Past them: {prism['beyond']:.1%} and {other['beyond']:.1%}; "
    yield Beat(words + f"chance is {run['chance']:.0%}. One seed.")
    rotor = run["rotor"]
    words = (
        f"The hand is unit {rotor['unit'] + 1} of {rotor['units']}; it stood where the sum says at "
    )
    yield Beat(words + f"{rotor['agreement']:.1%} of {length} tokens.")


def _dial(stage: Stage, run: dict[str, Any]) -> Any:
    """A circle with the sums where the rotor stands at them, and its hand."""
    x, y = CENTRE
    turn = np.linspace(0, 2 * np.pi, 120)
    stage.line(list(x + RADIUS * np.cos(turn)), list(y + RADIUS * np.sin(turn)), GREY, 2)
    for value, place in enumerate(run["rotor"]["places"]):
        angle = np.pi / 2 - 2 * np.pi * place / TURN
        far = RADIUS + 30
        stage.words(x + far * np.cos(angle), y + far * np.sin(angle), str(value), 26, INK)
    stage.words(x, 560, "a rotor inside PRISM", 21, GREY)
    return stage.line([x, x], [y, y + RADIUS], SYMBOLIC, 5, solid_capstyle="round")


def _curves(stage: Stage, run: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """Axes of accuracy against position with empty curves, and the mark of the training length."""
    ax = stage.panel(660, 190, 560, 400)
    ax.set_xlim(1, run["length"])
    ax.set_ylim(0, 1.05)
    ax.set_yticks([0, 0.5, 1], ["0%", "50%", "100%"])
    marks = [run["train_length"] * k for k in (1, 2, 4, 8)]
    ax.set_xticks([mark for mark in marks if mark <= run["length"]])
    ax.axhline(run["chance"], color=GREY, linewidth=1.2, linestyle=":")
    limit = ax.axvspan(run["train_length"], run["length"], color="#f0efe6", zorder=0, visible=False)
    stage.words(940, 140, f"position in the row (right answers of {run['rows']} rows)", 20, GREY)
    curves = {}
    for name, colour in (("transformer", NEURAL), ("prism", SYMBOLIC)):
        (curves[name],) = ax.plot([], [], color=colour, linewidth=3)
    stage.words(1216, 562, "PRISM", 23, SYMBOLIC, "right", bold=True)
    stage.words(1216, 330, "Transformer", 23, NEURAL, "right", bold=True)
    return curves, limit


def smoothed(values: list[float]) -> np.ndarray:
    """Means over the last ``SMOOTH`` positions."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    begins = np.maximum(ends - SMOOTH, 0)
    return (sums[ends] - sums[begins]) / (ends - begins)


def shown(name: str) -> str:
    """The name of a model as it is written."""
    return {"prism": "PRISM", "transformer": "Transformer"}[name]
