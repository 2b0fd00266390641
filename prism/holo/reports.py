"""Text reports of a tape: one dictionary of JSON values per answer, fact or audit, and lines of it.

The dictionaries are the contract of ``--json`` (their names stay, whatever the code calls a thing);
the lines are made from them and from nothing else, so the two cannot disagree.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from prism.holo.audit import Audit, Capacity
from prism.holo.ingestion import FactTable, Ingested
from prism.holo.recall import Recall
from prism.holo.store import Fact

SMALLEST = 1e-16  # p-values below look alike on a line


def answer(question: str, recall: Recall) -> dict[str, Any]:
    """An answered question; ``value`` is null for "unknown"."""
    return {
        "question": question,
        "value": plain(recall.value),
        "posterior": recall.posterior,
        "p_value": recall.p_value,
        "source": recall.source,
        "method": recall.method,
        "resolved_to": None if recall.resolved_from is None else recall.key_used,
    }


def answer_line(said: dict[str, Any]) -> str:
    """``question: value (posterior, p, source, how it was read)``."""
    p = said["p_value"]
    parts = [f"posterior {said['posterior']:.4f}", f"p {p:.2g}" if p >= SMALLEST else "p < 1e-16"]
    if said["resolved_to"] is not None:
        parts.insert(0, f"read as {shown(said['resolved_to'])}")
    if said["source"] is not None:
        parts.append(f"source {shown(said['source'])}")
    parts.append("not in the key list" if said["method"] == "ledger" else f"by {said['method']}")
    value = "unknown" if said["value"] is None else shown(said["value"])
    return f"{shown(said['question'])}: {value} ({', '.join(parts)})"


def listed(fact: Fact) -> dict[str, Any]:
    """A listed fact; ``key`` is null where only its ``hash`` is kept."""
    text = fact.key if isinstance(fact.key, str) else None
    return {
        "key": text,
        "hash": None if text is not None else f"{fact.key:016x}",
        "value": plain(fact.value),
        "source": fact.source,
        "time": datetime.fromtimestamp(fact.time, UTC).isoformat(timespec="seconds"),
    }


def listed_line(fact: dict[str, Any]) -> str:
    """``key: value (source, time)``."""
    key = f"#{fact['hash']}" if fact["key"] is None else shown(fact["key"])
    source = "" if fact["source"] is None else f"source {shown(fact['source'])}, "
    return f"{key}: {shown(fact['value'])} ({source}{fact['time']})"


def audited(facts: int, check: Audit, room: Capacity) -> dict[str, Any]:
    """The audit of a tape of so many facts, with the room that is left."""
    return {
        "facts": facts,
        "read": check.read,
        "right": check.right,
        "answered": check.answered,
        "predicted": check.predicted,
        "consistent": check.consistent,
        "capacity": room.limit,
        "level": room.level,
        "left": room.left,
        "fullest_bank": int(room.loads.max()),
        "mean_bank": float(room.loads.mean()),
        "peak": room.peak,
        "peak_allowed": room.room,
        "register_bytes": room.accumulator_bytes,
        "ledger_bytes": room.ledger_bytes,
        "codebook_bytes": room.codebook_bytes,
        "key_text_bytes": room.resolver_bytes,
    }


def audit_lines(said: dict[str, Any]) -> list[str]:
    """The audit in sentences."""
    consistent = {
        True: "the accumulator is the sum of what the ledger lists, number by number",
        False: "THE ACCUMULATOR IS NOT WHAT THE LEDGER LISTS",
        None: "the accumulator also holds vectors, which the ledger cannot list",
    }
    share = said["right"] / said["read"] if said["read"] else 1.0
    return [
        f"{said['facts']:,} facts; {said['read']:,} items read again: {share:.4f} right "
        f"({said['predicted']:.4f} by theory), {said['answered']:,} answered at the tape's alpha",
        consistent[said["consistent"]],
        f"room for {said['left']:,} items more: {said['capacity']:,} are read right at "
        f"{said['level']:.0%}; fullest bank {said['fullest_bank']:,}, mean {said['mean_bank']:.1f}",
        f"greatest number {said['peak']:,} of {said['peak_allowed']:,}; bytes: accumulator "
        f"{said['register_bytes']:,}, ledger {said['ledger_bytes']:,}, key texts "
        f"{said['key_text_bytes']:,}, codebook (made, not stored) {said['codebook_bytes']:,}",
    ]


def lines(said: dict[str, Any]) -> list[str]:
    """Everything that was said, for people: what was forgotten, answers, facts, the audit."""
    out = [f"forgotten: {key}" for key in said.get("forgotten", [])]
    out += [f"erased: {said['erased']} rows of the ledger"] if "erased" in said else []
    out += map(answer_line, said.get("answers", []))
    out += map(listed_line, said.get("facts", []))
    out += audit_lines(said["audit"]) if "audit" in said else []
    out += [f"plot: {said['plot']}"] if "plot" in said else []
    return out


def ingested_line(table: FactTable, done: Ingested) -> str:
    """Counts of the rows of a table by what became of them."""
    repeated = table.rows - len(table.facts) - table.kept - table.replaced
    counts = {
        "added": done.added,
        "known already": done.known + repeated,
        "replaced": done.replaced + table.replaced,
        "kept as they were": done.kept + table.kept,
        "bad rows skipped": len(table.bad),
    }
    said = ", ".join(f"{number:,} {what}" for what, number in counts.items() if number)
    return said or "no rows"


def overload_line(room: Capacity) -> str | None:
    """A warning where a tape holds more than it reads well; None where it does not."""
    if room.predicted >= room.level:
        return None
    return (
        f"over its capacity: {room.facts:,} items where {room.limit:,} are read right at "
        f"{room.level:.0%}; now {room.predicted:.1%} by theory"
    )


def plain(value: Any) -> Any:
    """A value as JSON has it: bytes as hex digits in an object, tuples as lists."""
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value


def shown(value: Any) -> str:
    """A value on a line; text that would break the line is quoted."""
    if isinstance(value, str):
        return value if value.isprintable() else json.dumps(value)
    if isinstance(value, list):
        return " ".join(shown(item) for item in value)
    return json.dumps(value)
