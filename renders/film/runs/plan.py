"""The runs of the film, in the sizes that it is made with."""

from __future__ import annotations

from renders.film.runs import Run, holo, rotor, sentences, smollm2, text

TEXT = {"steps": 240, "batch": 16, "length": 128, "width": 64, "layers": 3, "shown": 72}
TAPE = {"steps": 300, "batch": 32, "width": 48}
ROTOR = {"steps": 500, "batch": 32, "width": 48, "layers": 2, "rows": 48, "times": 8}
HOLO = {"dim": 1024, "values": 64, "alpha": 0.01}
SMOLLM2 = {"words": 12}


def runs(seed: int) -> dict[str, Run]:
    """Every run by name."""
    listed = [
        Run("text", text.make, {"seed": seed, **TEXT}),
        Run("tape", sentences.make, {"seed": seed, **TAPE}),
        Run("rotor", rotor.make, {"seed": seed, **ROTOR}),
        Run("holo", holo.make, {"seed": seed, **HOLO}),
        Run("smollm2", smollm2.make, {"seed": seed, **SMOLLM2}),
    ]
    return {run.name: run for run in listed}
