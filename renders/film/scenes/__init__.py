"""The scenes in the order of the film.

A scene is a function of a stage and the data of its run. It makes its artists, and yields beats:
one caption each, and what moves while it stands. Every number on the screen is formatted from data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from renders.film.scenes import attach, bus, close, grow, holo, rotor, router, tape, title, tokens
from renders.film.script import Beat
from renders.film.stage import Stage

Data = dict[str, Any]


@dataclass(frozen=True)
class Scene:
    """A chapter: its name, the run it shows (None: all of them), and what plays it."""

    name: str
    run: str | None
    play: Callable[[Stage, Any], Iterator[Beat]]


SCENES = (
    Scene("PRISM", None, title.scene),
    Scene("Tokens enter", "text", tokens.scene),
    Scene("The bus: many rates", "text", bus.scene),
    Scene("The router: which kind of computation", "text", router.scene),
    Scene("The tape: written and read back", "tape", tape.scene),
    Scene("The rotor: counting past the training length", "rotor", rotor.scene),
    Scene("HoloTape: facts without training", "holo", holo.scene),
    Scene("Growth: larger, and the same", "text", grow.scene),
    Scene("A fact spoken by a public model", "smollm2", attach.scene),
    Scene("What it is and is not", None, close.scene),
)
