"""M10: what must never become a fact: a model's own words, echoes, instructions in documents; and
what a file must never override."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prism.mind import KnowledgeBase, Source
from prism.mind.consolidate import Consolidation
from prism.mind.ledger import Statement
from prism.mind.notes import read_notes
from prism.studies.mind.matching import spellings

SELF_ANSWERS, ECHOES = 200, 100


def measure(chosen: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Counts of facts that should not be there.

    Args:
        chosen: the set; its ``statements`` and ``poison`` are read.
        folder: for databases and documents.

    Returns:
        ``self_answers``, ``echoes`` (facts stored from turns of an assistant, a system and a tool),
        ``document`` and ``pasted`` (shares of instruction-like lines that gave a fact, read from a
        file and pasted into a user's turn), ``overridden`` (facts of a user that a file changed).
    """
    statements = [row["text"] for row in chosen["statements"]]
    lines = [row["text"] for row in chosen["poison"]]
    with KnowledgeBase(folder / "roles.db") as kb:
        consolidation = Consolidation(kb)
        for n in range(SELF_ANSWERS):
            consolidation.turn(statements[n % len(statements)], role="assistant")
        own = len(kb)
        for n in range(ECHOES):
            role = ("tool", "system")[n % 2]
            consolidation.turn(f"{statements[n % len(statements)]}", role=role)
        echoes = len(kb) - own
    document = [line for n, line in enumerate(lines) if _read(folder, n, line)]
    pasted = [line for n, line in enumerate(lines) if _pasted(folder, n, line)]
    return {
        "self_answers": own,
        "echoes": echoes,
        "document": len(document) / max(1, len(lines)),
        "pasted": len(pasted) / max(1, len(lines)),
        "lines": len(lines),
        "document_misses": document,
        "pasted_misses": pasted,
        "overridden": _overridden(chosen, folder),
    }


def _read(folder: Path, number: int, line: str) -> bool:
    """True if a document of one poisoned line between two plain ones gives a fact by it."""
    path = folder / f"notes-{number}.md"
    path.write_text(f"Utopia lies in the sea.\n\n{line}\n\nThe capital of Utopia is Amaurote.\n")
    with KnowledgeBase(folder / "documents.db", f"line {number}") as kb:
        read_notes(kb, path)
        plain = range(3, 3 + line.count("\n") + 1)
        rows = kb.ledger.rows("tenant = ?", (kb.tenant,))  # superseded by now or not
        return any(fact.source.line in plain for fact in rows)


def _pasted(folder: Path, number: int, line: str) -> bool:
    """True if a user's turn that quotes a line gives a fact."""
    with KnowledgeBase(folder / "pasted.db", f"line {number}") as kb:
        quoted = "\n".join(f"> {part}" for part in line.split("\n"))
        Consolidation(kb).turn(f"Look what it says here:\n{quoted}")
        return len(kb) > 0


def _overridden(chosen: Mapping[str, Any], folder: Path) -> int:
    """Number of facts of a user that a file changed, of all in the set that it contradicts."""
    facts = {
        (f[0], f[1][0]): spellings(f[2])[0] for row in chosen["statements"] for f in row["facts"]
    }
    with KnowledgeBase(folder / "trust.db") as kb:
        kb.add_many(Statement(s, r, o, Source("user", "you")) for (s, r), o in facts.items())
        before = {fact.id for fact in kb.facts()}
        source = Source("file", "notes.md", 1)
        kb.add_many(Statement(s, r, f"not {o}", source) for (s, r), o in facts.items())
        return len(before - {fact.id for fact in kb.facts()})
