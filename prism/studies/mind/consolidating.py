"""M19: conversations with a restart: nothing acknowledged is lost, nothing else is stored."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prism.mind import KnowledgeBase
from prism.mind.consolidate import Consolidation

CONVERSATIONS, TURNS = 100, 20


def measure(
    chosen: Mapping[str, Any], folder: Path, seed: int = 0, conversations: int = CONVERSATIONS
) -> dict[str, Any]:
    """Conversations drawn from the statements and distractors of a set.

    Returns:
        ``acknowledged`` and ``lost`` (facts and sentences shown as noted, and those of them that
        the file lacks at the end), ``unacknowledged`` (rows that were never shown), ``over_budget``
        (turns after which working memory was larger than it may be), ``undone`` (rows that an undo
        of the last operation left live).
    """
    draw = random.Random(seed)
    said = [row["text"] for row in chosen["statements"]]
    other = [row["text"] for row in chosen["distractors"]]
    counts = dict.fromkeys(("acknowledged", "lost", "unacknowledged", "over_budget", "undone"), 0)
    for n in range(conversations):
        turns = [draw.choice(said if draw.random() < 0.6 else other) for _ in range(TURNS)]
        seen = _session(folder, n, turns[: TURNS // 2], counts)
        seen |= _session(folder, n, turns[TURNS // 2 :], counts)
        with KnowledgeBase(folder / "consolidating.db", f"conversation {n}") as kb:
            rows = {fact.id for fact in kb.ledger.rows("tenant = ?", (kb.tenant,))}
            counts["acknowledged"] += len(seen)
            counts["lost"] += len(seen - rows)
            counts["unacknowledged"] += len(rows - seen)
            counts["undone"] += _undo_leaves(kb)
    return counts | {"conversations": conversations, "turns": conversations * TURNS}


def _session(folder: Path, number: int, turns: list[str], counts: dict[str, int]) -> set[int]:
    """The facts that a session acknowledges; then the base is closed, as at a restart."""
    seen: set[int] = set()
    with KnowledgeBase(folder / "consolidating.db", f"conversation {number}") as kb:
        consolidation = Consolidation(kb)
        for turn in turns:
            outcome = consolidation.turn(turn)
            shown = (*outcome.noted, *outcome.remarks)
            seen |= {a.fact.id for a in shown if a.outcome in ("added", "superseded")}
            memory = consolidation.memory
            things, waiting = memory.budget
            over = len(memory.things) > things or len(memory.unconfirmed) > waiting
            counts["over_budget"] += over
    return seen


def _undo_leaves(kb: KnowledgeBase) -> int:
    """Number of facts of the last operation that are live after it was undone."""
    last = kb.ledger.query("SELECT max(added_by) AS n FROM facts WHERE tenant = ?", (kb.tenant,))[
        0
    ]["n"]  # an earlier one may hold facts that were superseded since: undo refuses it
    if last is None:
        return 0
    kb.undo(last)
    rows = kb.ledger.rows("added_by = ? AND retired_at IS NULL", (last,))
    return len(rows)
