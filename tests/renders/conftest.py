"""The runs of the film in tiny sizes, made once for all tests."""

from __future__ import annotations

from typing import Any

import pytest

from renders.film.runs import holo, rotor, sentences, text

TINY = {
    "text": (
        text.make,
        {"steps": 1, "batch": 1, "length": 8, "width": 16, "layers": 1, "shown": 40},
    ),
    "tape": (sentences.make, {"steps": 1, "batch": 1, "width": 16}),
    "rotor": (
        rotor.make,
        {"steps": 1, "batch": 1, "width": 16, "layers": 1, "rows": 2, "times": 2},
    ),
    "holo": (holo.make, {"dim": 256, "values": 16, "alpha": 0.01}),
}


def smollm2_data() -> dict[str, Any]:
    """What the run of the pretrained model gives, without the model."""

    def said(words: str, tape: bool = False) -> list[dict[str, Any]]:
        return [{"text": f" {word}", "tape": tape} for word in words.split()]

    elsewhere = said("Paris and")
    without = {"asked": said("a city\n of"), "elsewhere": elsewhere}
    return {
        "without": without,
        "bound": {"asked": said("Fredville", True), "elsewhere": elsewhere},
        "forgotten": without,
        "name": "a model",
        "parameters": 1234,
        "prompts": {"asked": "The capital of Freedonia is", "elsewhere": "The capital of X is"},
        "key": "capital of Freedonia",
        "value": "Fredville",
        "same_weights": True,
    }


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The data of every run of the film."""
    work = tmp_path_factory.mktemp("film")
    contexts = {"text": {"contexts": (2, 4)}}
    made = {
        name: make(work / name, seed=0, **sizes, **contexts.get(name, {}))
        for name, (make, sizes) in TINY.items()
    }
    return made | {"smollm2": smollm2_data()}
