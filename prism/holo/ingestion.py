"""Table ingestion: rows of a CSV or JSON lines file become facts of a tape.

CSV (a header line, comma-separated, RFC 4180) and JSON lines (one object a line), both UTF-8. A
key and a value are text; a whole number in JSON is taken as its digits, because a question on a
command line could not tell 7 from "7". White space around them is dropped.

    read_rows  a file -> rows      gather  rows -> table      ingest  table -> tape

All rows are judged first, in the order of the file, against the rows above them and against the
tape. Only then is anything bound, so a file that is refused leaves no trace.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from prism.holo.tape import ON_CONFLICT, HoloTape
from prism.holo.vocabulary import as_tuple

EXTENSIONS = (".csv", ".jsonl")
BATCH = 10_000  # facts bound at once


@dataclass(frozen=True)
class FactRow:
    """A fact, and the line (1 is the first of the file) on which it starts."""

    line: int
    key: str
    value: str


@dataclass(frozen=True)
class BadRow:
    """A line that holds no fact, and the reason."""

    line: int
    why: str


def read_rows(path: Path, key: str = "key", value: str = "value") -> Iterator[FactRow | BadRow]:
    """The rows of a ``.csv`` or ``.jsonl`` file, in order; empty lines are no rows.

    Args:
        key, value: the columns (CSV) or fields (JSON) to take.

    Raises:
        ValueError: another extension, text that is not UTF-8, or a CSV file without the columns.
        OSError: the file cannot be read.
    """
    read = {".csv": _csv, ".jsonl": _jsonl}.get(path.suffix.lower())
    if read is None:
        allowed = " or ".join(EXTENSIONS)
        raise ValueError(f"extension {path.suffix!r}: must be {allowed}")
    if key == value:
        raise ValueError(f"column {key!r}: is both key and value: must be two columns")
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            yield from read(file, key, value)
        except UnicodeDecodeError as error:
            raise ValueError(f"not UTF-8 text ({error.reason})") from error


def _csv(file: TextIO, key: str, value: str) -> Iterator[FactRow | BadRow]:
    # Not strict, the reader would take everything after a lost quote for one field.
    lines = csv.reader(file, strict=True)
    header = [name.strip() for name in next(lines, [])]
    for name in (key, value):
        if header.count(name) != 1:
            has = ", ".join(map(repr, header)) or "none"
            raise ValueError(f"column {name!r}: must be there once; columns: {has}")
    at_key, at_value = header.index(key), header.index(value)
    while True:
        line = lines.line_num + 1
        try:
            fields = next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            yield BadRow(line, str(error))
            continue
        if not fields:
            continue
        if len(fields) != len(header):
            yield BadRow(line, f"{len(fields)} fields: must be {len(header)}, as in the header")
        else:
            yield _row(line, key, fields[at_key], value, fields[at_value])


def _jsonl(file: TextIO, key: str, value: str) -> Iterator[FactRow | BadRow]:
    for line, text in enumerate(file, start=1):
        if not text.strip():
            continue
        try:
            record = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            yield BadRow(line, f"not JSON ({error})")
            continue
        missing = [
            name for name in (key, value) if not isinstance(record, dict) or name not in record
        ]
        if not isinstance(record, dict):
            yield BadRow(line, f"a JSON {type(record).__name__}: must be an object")
        elif missing:
            has = ", ".join(map(repr, record)) or "none"
            yield BadRow(line, f"no field {missing[0]!r}; fields: {has}")
        else:
            yield _row(line, key, record[key], value, record[value])


def _row(line: int, key_name: str, key: Any, value_name: str, value: Any) -> FactRow | BadRow:
    texts = []
    for name, given in ((key_name, key), (value_name, value)):
        if isinstance(given, int) and not isinstance(given, bool):
            given = str(given)
        if not isinstance(given, str):
            return BadRow(line, f"{name} {given!r}: must be text or a whole number")
        given = given.strip()
        if not given:
            return BadRow(line, f"{name} is empty")
        if any("\ud800" <= c <= "\udfff" for c in given):
            return BadRow(line, f"{name} {given!r}: holds half a character (a lone surrogate)")
        texts.append(given)
    return FactRow(line, *texts)


@dataclass
class FactTable:
    """The facts of a file, judged against one another.

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

    def add(self, row: FactRow, on_conflict: str) -> None:
        """Enter a row, by the rule if a row above it gives the key another value."""
        self.rows += 1
        line, held = self.facts.setdefault(row.key, (row.line, row.value))
        if held == row.value:
            return
        if on_conflict == "error":
            says = f"key {row.key!r} is {row.value!r}, but {held!r} on line {line}"
            raise ValueError(f"line {row.line}: {says}")
        if on_conflict == "replace":
            self.facts[row.key] = row.line, row.value
            self.replaced += 1
        else:
            self.kept += 1


@dataclass(frozen=True)
class Ingested:
    """Counts of the facts of a table by their outcome on the tape."""

    added: int
    known: int
    replaced: int
    kept: int


def gather(
    rows: Iterable[FactRow | BadRow], on_conflict: str = "error", bad: str = "stop"
) -> FactTable:
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
    table = FactTable()
    for row in rows:
        if isinstance(row, FactRow):
            table.add(row, on_conflict)
        elif bad == "stop":
            raise ValueError(f"line {row.line}: {row.why}")
        else:
            table.bad.append(row)
    return table


def plan_tape(
    table: FactTable,
    facts: int | None = None,
    candidates: int | None = None,
    **config: Any,
) -> HoloTape:
    """An empty tape for a table.

    Args:
        facts, candidates: facts and values that it has room for; None = twice those of the table.
        config: further arguments of :meth:`prism.holo.tape.HoloTape.plan`.

    Raises:
        ValueError: no such tape, or one that does not fit the memory.
    """
    facts = 2 * len(table.facts) if facts is None else facts
    if candidates is None:
        candidates = max(2, 2 * len({value for _, value in table.facts.values()}))
    try:
        return HoloTape.plan(facts=facts, candidates=candidates, **config)
    except (MemoryError, RuntimeError) as error:  # torch has no class of its own for this
        reason = str(error.args[0]) if error.args else type(error).__name__
        raise ValueError(f"a tape for {facts:,} facts: {reason}") from error


def ingest(
    tape: HoloTape,
    table: FactTable,
    source: str | None = None,
    on_conflict: str = "error",
    progress: Callable[[int], None] | None = None,
) -> Ingested:
    """Bind the facts of ``table`` to ``tape``.

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
    keys = list(table.facts)
    values = [_value(tape, line, text) for line, text in table.facts.values()]
    known = differing = 0
    for i, row in enumerate(tape.ledger.find(tape.hash(keys))):
        if row < 0:
            continue
        held = tape.stored_value(row)
        if as_tuple(held) == as_tuple(values[i]):
            known += 1
        elif on_conflict == "error":
            says = f"key {keys[i]!r} is {values[i]!r}, but the tape holds {held!r}"
            raise ValueError(f"line {table.facts[keys[i]][0]}: {says}")
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
