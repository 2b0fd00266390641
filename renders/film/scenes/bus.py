"""Chapter 2: each rate of the bus charges with what is read, and fades at its own pace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from renders.drawing import BUS, GREY, INK
from renders.film.scenes.text_row import TextRow
from renders.film.script import Beat
from renders.film.stage import Stage

LEFT, RIGHT, BOTTOM, TOP = 216, 1240, 150, 560
MARK = 12  # the token at which a mark is put
COLOURS = LinearSegmentedColormap.from_list("charge", ["#f4f6f8", "#9fbad3", BUS, "#142d45"])


def scene(stage: Stage, run: dict[str, Any]) -> Iterator[Beat]:
    """Lanes of charge; then what is left of a mark, with the clock alone and with the gate."""
    text, bus = run["text"], run["bus"]
    lives = bus["half_lives"]
    charge, passed = np.array(bus["charge"]).T, np.array(bus["passed"]).T  # [K, T]
    step = (RIGHT - LEFT) / len(text)
    row = TextRow(stage, text, LEFT, 598, step, 20)
    lane = (TOP - BOTTOM) / len(lives)
    stage.words(LEFT - 20, 598, "half-life", 21, GREY, "right")
    for k, life in enumerate(lives):
        stage.words(LEFT - 20, TOP - lane * (k + 0.5), told(life), 21, INK, "right")
    blank = np.full(charge.shape, np.nan)
    size = (LEFT, BOTTOM, RIGHT - LEFT, TOP - BOTTOM)
    lanes = stage.heat(*size, blank, COLOURS, (0, 1))
    relative = charge / charge.max(1, keepdims=True)
    words = f"The bus is {len(lives)} leaky stores. "
    yield Beat(words + "Each forgets half of what it holds in its own half-life.")

    def read(i: int) -> None:
        row.read(i + 1)
        lanes.set_data(np.where(np.arange(len(text)) <= i, relative, np.nan))

    words = (
        "Short ones follow every byte; long ones charge slowly. Dark: its fullest in this sentence."
    )
    yield Beat(words, len(text), read, pace=2, loop=True)
    row.read(MARK + 1)
    left = np.full(charge.shape, np.nan)
    faded = remaining(lives, passed)
    lanes.set_clim(0, 1)

    def fade(i: int) -> None:
        row.read(MARK + 1 + i)
        left[:, MARK + i] = faded[:, i]
        lanes.set_data(left)

    words = f"Put a mark of 1 into every store at the byte “{text[MARK]}”: "
    words += "this is what is left of it."
    yield Beat(words, faded.shape[1], fade, pace=2)
    yield from _gate(stage, run, lives, passed, lanes, row)


def _gate(
    stage: Stage, run: dict[str, Any], lives: list[float], passed: np.ndarray, lanes: Any, row: Any
) -> Iterator[Beat]:
    """How much time each token made pass, in every store."""
    spread = float(np.abs(np.log2(passed)).max())
    lanes.set_cmap("PuOr_r")
    lanes.set_clim(-spread, spread)
    shown = np.full(passed.shape, np.nan)

    def read(i: int) -> None:
        row.read(i + 1)
        shown[:, i] = np.log2(passed[:, i])
        lanes.set_data(shown)

    words = (
        "A token also sets how much time passes at it. Orange: it forgets faster; violet: slower."
    )
    yield Beat(words, passed.shape[1], read, pace=1)
    fast, slow = passed[:, 1:].max(), passed[:, 1:].min()
    yield Beat(
        f"Measured from the state: from {slow:.2f} to {fast:.1f} tokens of time at one token."
    )


def remaining(lives: list[float], passed: np.ndarray) -> np.ndarray:
    """What is left of a mark of 1 put at token ``MARK``: ``[K, n]``, 1 first."""
    time = passed[:, MARK + 1 :].cumsum(1) / np.array(lives)[:, None]
    return np.concatenate([np.ones((len(lives), 1)), 2.0**-time], axis=1)


def told(life: float) -> str:
    """A half-life in tokens, in words."""
    if life < 1:
        return f"{life:.2f} token"
    return f"{life:,.1f} tokens" if life < 10 else f"{life:,.0f} tokens"
