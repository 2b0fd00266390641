"""Text reports of a tape: one dictionary of JSON values per answer, fact or audit, and lines of it.

The dictionaries are the contract of ``--json`` (their names stay, whatever the code calls a thing);
the lines are made from them and from nothing else, so the two cannot disagree.
"""

from __future__ import annotations

import json
from typing import Any

from prism.command import quoted
from prism.holo.audit import Audit, Capacity
from prism.holo.ingestion import FactTable, Ingested
from prism.holo.recall import Recall
from prism.holo.store import Fact
from prism.holo.tape import HoloTape
from prism.holo.times import calendar
from prism.holo.vocabulary import to_json

SMALLEST = 1e-16  # p-values below look alike on a line


def answer(question: str, recall: Recall) -> dict[str, Any]:
    """An answered question; ``value`` is null for "unknown". What another key than the one asked
    for holds is no answer but a ``guess``; then ``resolved_to`` is that key."""
    guess = None
    if recall.guess and recall.value is not None:
        value = to_json(recall.value)
        guess = {"key": recall.key_used, "value": value, "confidence": recall.posterior}
    return {
        "question": question,
        "value": None if recall.guess else to_json(recall.value),
        "posterior": 1 - recall.posterior if guess else recall.posterior,
        "p_value": recall.p_value,
        "source": recall.source,
        "method": recall.method,
        "resolved_to": recall.key_used if recall.guess else None,
        "guess": guess,
    }


def answer_line(row: dict[str, Any]) -> str:
    """``question: value (posterior, p, source, how it was read)``; or ``question: unknown; did you
    mean another: value?``."""
    source = [] if row["source"] is None else [f"source {shown(row['source'])}"]
    if row["guess"] is not None:
        key, value = shown(row["guess"]["key"]), shown(row["guess"]["value"])
        how = ", ".join([f"confidence {row['guess']['confidence']:.2f}", *source])
        return f"{shown(row['question'])}: unknown; did you mean {key}? It is {value} ({how})"
    p = row["p_value"]
    parts = [f"posterior {row['posterior']:.4f}", f"p {p:.2g}" if p >= SMALLEST else "p < 1e-16"]
    parts += source
    if row["method"] == "ledger":
        parts.append("not in the key list" if row["value"] is None else "from the ledger")
    else:
        parts.append(f"by {row['method']}")
    value = "unknown" if row["value"] is None else shown(row["value"])
    return f"{shown(row['question'])}: {value} ({', '.join(parts)})"


def listed(fact: Fact) -> dict[str, Any]:
    """A listed fact; ``key`` is null where only its ``hash`` is kept. A time that no calendar shows
    is the number as it is: older tapes took any."""
    time = calendar(fact.time)
    text = fact.key if isinstance(fact.key, str) else None
    return {
        "key": text,
        "hash": None if text is not None else f"{fact.key:016x}",
        "value": to_json(fact.value),
        "source": fact.source,
        "time": repr(fact.time) if time is None else time.isoformat(timespec="seconds"),
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
        "by_ledger": check.by_ledger,
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


def audit_lines(row: dict[str, Any]) -> list[str]:
    """The audit in sentences."""
    consistent = {
        True: "the accumulator is the sum of what the ledger lists, number by number",
        False: "THE ACCUMULATOR IS NOT WHAT THE LEDGER LISTS",
        None: "the accumulator also holds vectors, which the ledger cannot list",
    }
    share = row["right"] / row["read"] if row["read"] else 1.0
    return [
        f"{row['facts']:,} facts; {row['read']:,} items read again: {share:.4f} right "
        f"({row['predicted']:.4f} by theory), {row['answered']:,} answered at the tape's alpha"
        + (f", {row['by_ledger']:,} by the ledger alone" if row["by_ledger"] else ""),
        consistent[row["consistent"]],
        f"room for {row['left']:,} items more: {row['capacity']:,} are read right at "
        f"{row['level']:.0%}; fullest bank {row['fullest_bank']:,}, mean {row['mean_bank']:.1f}",
        f"greatest number {row['peak']:,} of {row['peak_allowed']:,}; bytes: accumulator "
        f"{row['register_bytes']:,}, ledger {row['ledger_bytes']:,}, key texts "
        f"{row['key_text_bytes']:,}, codebook (made, not stored) {row['codebook_bytes']:,}",
    ]


def lines(report: dict[str, Any]) -> list[str]:
    """Everything in a report, as lines: keys forgotten, answers, facts, the audit."""
    out = []
    if "grow" in report:
        out.append("the tape grows when it is too full" if report["grow"] else "the tape stays so")
    out += report.get("grown", [])
    out += [f"forgotten: {shown(key)}" for key in report.get("forgotten", [])]
    out += [f"updated: {shown(u['key'])}: {shown(u['value'])}" for u in report.get("updated", [])]
    out += [f"erased: {report['erased']} rows of the ledger"] if "erased" in report else []
    out += map(answer_line, report.get("answers", []))
    out += map(listed_line, report.get("facts", []))
    out += audit_lines(report["audit"]) if "audit" in report else []
    out += [f"plot: {shown(report['plot'])}"] if "plot" in report else []
    return out


def overload_line(room: Capacity) -> str | None:
    """A warning where a tape holds more than it reads well; None where it does not."""
    if room.predicted >= room.level:
        return None
    return (
        f"over its capacity: {room.facts:,} items where {room.limit:,} are read right at "
        f"{room.level:.0%}; now {room.predicted:.1%} by theory"
    )


def shown(value: Any) -> str:
    """A value on a line: text as it is, in quotes where it would break the line; the items of a
    sequence with semicolons between."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "; ".join(shown(item) for item in value)
    return json.dumps(value)


def ingested(table: FactTable, done: Ingested) -> dict[str, Any]:
    """Counts of the rows of a table by what became of them, and its bad rows."""
    repeated = 0 if table.many else table.rows - table.keys - table.kept - table.replaced
    return {
        "rows": table.rows,
        "added": done.added,
        "known": done.known + repeated,
        "replaced": done.replaced + table.replaced,
        "kept": done.kept + table.kept,
        "extended": done.extended,
        "bad": [row._asdict() for row in table.bad],
    }


def ingested_line(report: dict[str, Any]) -> str:
    """The counts in words."""
    counts = {
        "added": report["added"],
        "known already": report["known"],
        "replaced": report["replaced"],
        "kept as they were": report["kept"],
        "given more values": report["extended"],
        "bad rows skipped": len(report["bad"]),
    }
    text = ", ".join(f"{number:,} {what}" for what, number in counts.items() if number)
    return text or "no rows"


def tape_size(tape: HoloTape) -> dict[str, Any]:
    """Size of a tape."""
    c = tape.config
    return {
        "facts": tape.count,
        "values": len(tape.vocabulary),
        "banks": c.banks,
        "dim": c.dim,
        "dtype": c.dtype,
        "register_bytes": tape.nbytes,
        "ledger_bytes": 0 if tape.ledger is None else tape.ledger.nbytes,
    }
