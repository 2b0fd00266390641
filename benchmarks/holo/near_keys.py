"""Another thing is not a typo: pairs of different things, and typing errors.

An author who had not seen the rule wrote both (``unseen/``); docs/LOG.md has the hashes that were
published before it ran.

    taken   a key that is not stored is answered or guessed as its neighbour that is
    right   a key with one typing error inside a long word is guessed as itself
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.holo.accuracy import proportion
from prism.holo import HoloTape

FOLDER = Path(__file__).with_name("unseen")


def near_keys() -> dict[str, Any]:
    """Pairs taken for each other by kind, and typing errors that were understood."""
    pairs = json.loads((FOLDER / "different_things.json").read_text("utf-8"))
    slips = json.loads((FOLDER / "one_typo.json").read_text("utf-8"))
    taken = [
        pair["kind"]
        for pair, value in zip(pairs, _answers(pairs), strict=True)
        if value is not None
    ]
    given = _answers(slips)
    right = sum(value == row["stored"] for row, value in zip(slips, given, strict=True))
    answered = sum(value is not None for value in given)
    return {
        "pairs": len(pairs),
        "kinds": len({pair["kind"] for pair in pairs}),
        "taken": len(taken),
        "taken_kinds": sorted(set(taken)),
        "slips": proportion(right, len(slips)),
        "slips_wrong": answered - right,
    }


def _answers(rows: list[dict[str, str]]) -> list[str | None]:
    """For each asked key the stored key whose value comes back, answered or guessed."""
    tape = HoloTape.plan(facts=2 * len(rows), candidates=2 * len(rows), resolver=True)
    stored = [row["stored"] for row in rows]
    tape.bind_many(stored, stored)
    return [answer.value for answer in tape.recall_many([row["asked"] for row in rows])]
