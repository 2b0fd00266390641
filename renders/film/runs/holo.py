"""Facts bound to a HoloTape one by one, asked for, and forgotten; and the noise of its register."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from prism import HoloTape
from prism.holo.algebra.codes import sign_codes
from prism.holo.capacity.theory import quantile
from renders.film.runs import Data

PLACES = [
    "Freedonia",
    "Sylvania",
    "Ruritania",
    "Graustark",
    "Borduria",
    "Syldavia",
    "Zubrowka",
    "Latveria",
]
TOWNS = ["Fredville", "Oakham", "Strelsau", "Edelweiss", "Szohod", "Klow", "Lutz", "Doomstadt"]
KEY = "capital of {}"
STRANGER = "capital of Atlantis"
FORGOTTEN = 2  # index of the fact that is forgotten
STRIP = 240  # numbers of the register that are shown


def make(folder: Path, seed: int, dim: int, values: int, alpha: float) -> Data:
    """Bind all, ask for the first and for a stranger, forget one.

    Args:
        folder: is not used; nothing is kept beside the data.
        values: that can be answered, the towns among them.
        alpha: rate at which a stranger may be answered.
    """
    names = TOWNS + [f"town {i}" for i in range(values - len(TOWNS))]
    tape = HoloTape(dim, values=names, dtype="int16", seed=seed, resolver=False, alpha=alpha)
    keys = [KEY.format(place) for place in PLACES]
    steps = [_look(tape, keys[0], "empty", alpha)]
    for key, town in zip(keys, TOWNS, strict=True):
        tape.bind(key, town, source="the film")
        steps.append(_look(tape, keys[0], f'bind("{key}", "{town}")', alpha))
    asked = {
        "known": _look(tape, keys[0], f'recall("{keys[0]}")', alpha),
        "stranger": _look(tape, STRANGER, f'recall("{STRANGER}")', alpha),
    }
    tape.forget(keys[FORGOTTEN])
    forgotten = _look(tape, keys[FORGOTTEN], f'forget("{keys[FORGOTTEN]}")', alpha)
    never = HoloTape(dim, values=names, dtype="int16", seed=seed, resolver=False, alpha=alpha)
    for i, (key, town) in enumerate(zip(keys, TOWNS, strict=True)):
        if i != FORGOTTEN:
            never.bind(key, town)
    return {
        "dim": dim,
        "bytes": tape.nbytes,
        "values": names[: len(TOWNS)],
        "candidates": values,
        "alpha": alpha,
        "threshold": quantile(alpha, values),
        "steps": steps,
        **asked,
        "forgotten": forgotten,
        "as_if_never": bool(torch.equal(tape.accumulator.numbers, never.accumulator.numbers)),
    }


def _look(tape: HoloTape, key: str, operation: str, alpha: float) -> dict[str, Any]:
    """The register, and how each value scores under ``key``: in standard deviations of the noise,
    which is the norm of the register over its length (prism/holo/recall.py)."""
    numbers = tape.accumulator.numbers[0].double()
    noise = float(torch.linalg.vector_norm(numbers)) / tape.config.dim
    read = sign_codes(tape.hash([key]), tape.config.dim).double() * numbers[None]
    scores = tape.vocabulary.codes.scores(read.float())[0].double() / tape.config.dim
    answer = tape.recall(key, alpha, decoder="filter", fallback=False)
    return {
        "operation": operation,
        "key": key,
        "facts": tape.count,
        "strip": numbers[:STRIP].tolist(),
        "noise": noise,
        "scores": (scores / noise if noise else scores).tolist(),
        "answer": answer.value,
        "p_value": float(np.float64(answer.p_value)),
    }
