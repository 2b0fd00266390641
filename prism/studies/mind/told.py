"""M4, the spoken halves of M2 and M5: said, then asked after a restart; said otherwise, then asked;
and what nobody said, asked of the same things in the same words."""

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
        **_unsaid(path, chosen.get("unsaid", []), asking),
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


def _unsaid(path: Path, worlds: list[Any], asking: Callable[[KnowledgeBase], Ask]) -> dict:
    """Shares of silence about what nobody said, and of answers about what somebody did."""
    if not worlds:
        return {}
    misses, asked, good, wrong, unsaid, silent = [], 0, 0, 0, 0, 0
    for n, row in enumerate(worlds):
        _say(path, f"world {n}", row["say"])
        for question in row["asked"]:
            text = _ask(path, f"world {n}", question["ask"], asking)
            fine = right(text, question["answers"])
            asked, good, wrong = asked + 1, good + fine, wrong + (text is not None and not fine)
        for question in row["unsaid"]:
            text = _ask(path, f"world {n}", question, asking)
            unsaid, silent = unsaid + 1, silent + (text is None)
            if text is not None:
                misses.append({"ask": question, "answer": text})
    shares = {"said_right": good / asked, "said_wrong": wrong / asked}
    shares |= {"unsaid_silent": silent / unsaid, "said": asked, "unsaid": unsaid}
    return shares | {"unsaid_misses": misses}


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
