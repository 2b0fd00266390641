"""Facts that change: the new value now, the old one as of before, and both in the history.

Part of the facts of a world get another object of the same relation. The same questions of one
step are asked before and after, now and at the time before the change.
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

from prism.mind import KnowledgeBase
from prism.mind.ledger import Statement
from prism.mind.records import Source
from prism.mind.reflect import Reflector
from prism.studies.mind.asking import Say
from prism.studies.mind.sets import Asked, SentenceSet, asked, right
from prism.studies.mind.world import INVERSE, World, made

EACH = 3  # questions of a template


def measured_changes(
    chosen: SentenceSet, facts: int, seed: int, folder: Path, say: Say
) -> dict[str, Any]:
    """One row: answers after the changes, stale ones, answers as of before, histories."""
    world = made(facts, seed)
    questions = [q for q in asked(world, chosen, seed, EACH) if _changeable(q)]
    with KnowledgeBase(folder / f"changes-{facts}-{seed}.db") as kb:
        world.write(kb)
        reflector = Reflector(kb)
        known = [q for q in questions if right(reflector.reflect(q.text).text, q.answer)]
        before = time.time()
        changes = _changed(world, known, seed)
        kb.add_many(Statement(s, r, o, Source("api", "news")) for (s, r), o in changes.items())
        new, stale, old, kept = 0, 0, 0, 0
        for question in known:
            pair = (question.start, question.path[0])
            answer = reflector.reflect(question.text).text
            new += right(answer, changes[pair])
            stale += right(answer, question.answer)
            old += right(reflector.reflect(question.text, at=before).text, question.answer)
            kept += [f.object for f in kb.history(*pair)] == [question.answer, changes[pair]]
    count = len(known)
    shares = {"updated": new, "stale": stale, "as of": old, "history": kept}
    row: dict[str, Any] = {"set": chosen.name, "facts": facts, "seed": seed, "questions": count}
    row |= {name: value / count if count else None for name, value in shares.items()}
    say("  changes: " + ", ".join(f"{name} {value} of {count}" for name, value in shares.items()))
    return row


def _changeable(question: Asked) -> bool:
    """True for a question of one step ahead whose relation is no bijection, so that another object
    takes nothing from another fact."""
    first = question.path[0] if len(question.path) == 1 else ""
    return bool(first) and first not in (*INVERSE, "spouse") and not first.endswith("_of")


def _changed(world: World, questions: list[Asked], seed: int) -> dict[tuple[str, str], str]:
    """Another object for each asked fact."""
    draw = random.Random(seed)
    changes = {}
    for question in questions:
        relation = question.path[0]
        values = sorted({o for (_, r), o in world.facts.items() if r == relation})
        changes[question.start, relation] = draw.choice(
            [value for value in values if value != question.answer]
        )
    return changes
