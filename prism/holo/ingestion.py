"""Rows into a tape: what is new, what is known, what contradicts what, before anything is written.

All rows are judged first, in the order of the file, against the rows above them and against the
tape. Only then is the tape made, if there is none, and bound, so a file that is refused leaves no
trace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from prism.holo.rows import BadRow, Row
from prism.holo.tape import ON_CONFLICT, HoloTape
from prism.holo.vocabulary import as_tuple

BATCH = 10_000  # facts bound at once


@dataclass
class Batch:
    """What a file says.

    Attributes:
        facts: line and value by key, in the order of the file.
        rows: good rows read.
        bad: rows that are no fact.
        kept: rows that contradicted an earlier one, which stayed.
        replaced: rows whose value was replaced by a later one of the file.
    """

    facts: dict[str, tuple[int, str]] = field(default_factory=dict)
    rows: int = 0
    bad: list[BadRow] = field(default_factory=list)
    kept: int = 0
    replaced: int = 0


@dataclass(frozen=True)
class Ingested:
    """What became of the facts of a batch on the tape: counts."""

    added: int
    known: int
    replaced: int
    kept: int


def gather(rows: Iterable[Row | BadRow], on_conflict: str = "error", bad: str = "stop") -> Batch:
    """Judge rows against one another.

    Args:
        on_conflict: of two values of one key the ``"keep"`` rule takes the first, ``"replace"``
            the last; ``"error"`` refuses them.
        bad: ``"stop"`` at the first bad row, or ``"skip"`` them all.

    Raises:
        ValueError: a bad row or a conflict that stops; names the line.
    """
    for name, given, allowed in (
        ("on_conflict", on_conflict, ON_CONFLICT),
        ("bad", bad, ("skip", "stop")),
    ):
        if given not in allowed:
            raise ValueError(f"{name} = {given!r}: must be one of {', '.join(allowed)}")
    batch = Batch()
    for row in rows:
        if isinstance(row, Row):
            _judge(batch, row, on_conflict)
        elif bad == "stop":
            raise ValueError(f"line {row.line}: {row.why}")
        else:
            batch.bad.append(row)
    return batch


def _judge(batch: Batch, row: Row, on_conflict: str) -> None:
    """Put a row into the batch, against the rows above it."""
    batch.rows += 1
    line, held = batch.facts.setdefault(row.key, (row.line, row.value))
    if held == row.value:
        return
    if on_conflict == "error":
        says = f"key {row.key!r} is {row.value!r}, but {held!r} on line {line}"
        raise ValueError(f"line {row.line}: {says}")
    if on_conflict == "replace":
        batch.facts[row.key] = row.line, row.value
        batch.replaced += 1
    else:
        batch.kept += 1


def ingest(
    tape: HoloTape,
    batch: Batch,
    source: str | None = None,
    on_conflict: str = "error",
    progress: Callable[[int], None] | None = None,
) -> Ingested:
    """Bind the facts of ``batch`` to ``tape``.

    Args:
        source: where they come from.
        on_conflict: a key that the tape binds to another value, as in :func:`gather`.
        progress: called with the number of facts after each lot of them.

    Raises:
        ValueError: a tape without a ledger, a value outside a fixed vocabulary, or a conflict
            under ``"error"``; names the line, and nothing is bound.
        OverflowError: the accumulator is too narrow; the lots before are bound.
    """
    if tape.ledger is None:
        raise ValueError("a tape without a ledger cannot tell which keys it holds")
    keys = list(batch.facts)
    values = [_value(tape, line, text) for line, text in batch.facts.values()]
    known = differing = 0
    for i, row in enumerate(tape.ledger.find(tape.hash(keys))):
        if row < 0:
            continue
        held = tape.stored_value(row)
        if as_tuple(held) == as_tuple(values[i]):
            known += 1
        elif on_conflict == "error":
            says = f"key {keys[i]!r} is {values[i]!r}, but the tape holds {held!r}"
            raise ValueError(f"line {batch.facts[keys[i]][0]}: {says}")
        else:
            differing += 1
    for low in range(0, len(keys), BATCH):
        part = slice(low, low + BATCH)
        tape.bind_many(keys[part], values[part], source, on_conflict=on_conflict)
        if progress is not None:
            progress(len(keys[part]))
    replaced = differing if on_conflict == "replace" else 0
    return Ingested(len(keys) - known - differing, known, replaced, differing - replaced)


def _value(tape: HoloTape, line: int, text: str) -> Any:
    """The text as a value of the tape's vocabulary."""
    vocabulary = tape.vocabulary
    if vocabulary.open:
        return text
    if vocabulary.items is None and not text.isdecimal():
        raise ValueError(f"line {line}: value {text!r}: must be a whole number")
    value = int(text) if vocabulary.items is None else text
    try:
        vocabulary.ids([value])
    except ValueError as error:
        raise ValueError(f"line {line}: {error}") from error
    return value
