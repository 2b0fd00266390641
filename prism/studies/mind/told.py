"""M4 and the spoken half of M5: said, then asked after a restart; said otherwise, then asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from prism.mind import KnowledgeBase
from prism.mind.consolidate import Consolidation
from prism.studies.mind.matching import right

Ask = Callable[[str], Any]  # a question to an answer with ``text``


def measure(
    chosen: Mapping[str, Any], folder: Path, asking: Callable[[KnowledgeBase], Ask]
) -> dict[str, Any]:
    """Shares of right and wrong answers after a restart, and of updates.

    Args:
        chosen: the set; its ``dialogues`` and ``updates`` are read.
        folder: for the database.
        asking: what answers the questions of a knowledge base, ``lambda kb: Mind(kb).ask``.
    """
    path = folder / "told.db"
    dialogues, updates = chosen["dialogues"], chosen.get("updates", [])
    for n, row in enumerate(dialogues):
        _say(path, f"dialogue {n}", row["say"])
    for n, row in enumerate(updates):
        _say(path, f"update {n}", [row["old"]])
        _say(path, f"update {n}", [row["new"]])
    answers = [_ask(path, f"dialogue {n}", row["ask"], asking) for n, row in enumerate(dialogues)]
    good = [right(text, row["answers"]) for text, row in zip(answers, dialogues, strict=True)]
    wrong = [t is not None and not g for t, g in zip(answers, good, strict=True)]
    misses = [
        {"say": row["say"], "ask": row["ask"], "answer": text}
        for text, row, fine in zip(answers, dialogues, good, strict=True)
        if not fine
    ]
    return {
        "right": sum(good) / max(1, len(good)),
        "wrong": sum(wrong) / max(1, len(wrong)),
        "dialogues": len(good),
        "misses": misses,
        **_updated(path, updates, asking),
    }


def _updated(path: Path, updates: list[Any], asking: Callable[[KnowledgeBase], Ask]) -> dict:
    new = stale = kept = told = 0
    misses = []
    for n, row in enumerate(updates):
        text = _ask(path, f"update {n}", row["ask"], asking)
        new += right(text, row["answers"])
        stale += right(text, row["old_answers"])
        with KnowledgeBase(path, f"update {n}") as kb:
            rows = kb.ledger.rows("tenant = ? AND retired_at IS NOT NULL", (kb.tenant,))
            texts = [fact.object for fact in kb.remarks()]
        kept += any(right(fact.object, row["old_answers"]) for fact in rows)
        told += any(_says(text, row["old_answers"]) for text in texts)
        if not right(text, row["answers"]):
            misses.append({"old": row["old"], "new": row["new"], "ask": row["ask"], "answer": text})
    count = max(1, len(updates))
    shares = {"updated": new / count, "stale": stale / count, "old_in_history": kept / count}
    shares["old_in_sentence"] = told / count
    return shares | {"updates": len(updates), "update_misses": misses}


def _says(text: str, wanted: list[str]) -> bool:
    """True if a sentence holds one of several values."""
    return any(value.casefold() in text.casefold() for value in wanted)


def _say(path: Path, tenant: str, turns: list[str]) -> None:
    """A session of its own, closed at the end: a restart."""
    with KnowledgeBase(path, tenant) as kb:
        consolidation = Consolidation(kb)
        for turn in turns:
            consolidation.turn(turn)


def _ask(
    path: Path, tenant: str, question: str, asking: Callable[[KnowledgeBase], Ask]
) -> str | None:
    with KnowledgeBase(path, tenant) as kb:
        return asking(kb)(question).text
