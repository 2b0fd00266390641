"""Table ingestion: rows of a table become facts of a tape.

    read_rows  a file -> rows      gather  rows -> table      ingest  table -> tape

All rows are judged first, in the order of the file, against the rows above them and against the
tape. Only then is anything bound, so a file that is refused leaves no trace. Two keys are one where
:mod:`prism.holo.keys.normal` says so, on the tape as in the file.

One-to-many: with ``many`` the values that a key has in several rows are one value, a sequence of
them in their order, each once. A tape made for sequences holds it; a later file adds to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from prism.holo.keys.normal import normal_key
from prism.holo.reading import BadRow, FactRow
from prism.holo.tape import ON_CONFLICT, HoloTape
from prism.holo.vocabulary import as_tuple

__all__ = ["FactTable", "Ingested", "check_tape", "gather", "ingest", "plan_tape"]
BATCH = 100_000  # facts bound at once
Value = str | tuple[str, ...]


@dataclass
class FactTable:
    """The facts of a file, judged against one another.

    Attributes:
        many: whether a key has a sequence of values.
        facts: line and value by key, in the order of the file.
        rows: good rows read.
        bad: rows that are no fact.
        kept: rows that contradicted an earlier one, which stayed.
        replaced: rows whose value was replaced by a later one of the file.
    """

    many: bool = False
    facts: dict[str, tuple[int, Value]] = field(default_factory=dict)
    rows: int = 0
    bad: list[BadRow] = field(default_factory=list)
    kept: int = 0
    replaced: int = 0

    def add(self, row: FactRow, on_conflict: str) -> None:
        """Enter a row, by the rule if a row above it gives the key another value."""
        self.rows += 1
        key = row.key
        if not key.isascii() or key.split(" ") != key.split():
            try:
                key = normal_key(key)
            except ValueError as error:
                raise ValueError(f"line {row.line}: {error}") from error
        if self.many:
            line, values = self.facts.setdefault(key, (row.line, {}))
            values[row.value] = None
            return
        line, held = self.facts.setdefault(key, (row.line, row.value))
        if held == row.value:
            return
        if on_conflict == "error":
            says = f"key {row.key!r} is {row.value!r}, but {held!r} on line {line}"
            raise ValueError(f"line {row.line}: {says}")
        if on_conflict == "replace":
            self.facts[key] = row.line, row.value
            self.replaced += 1
        else:
            self.kept += 1

    @property
    def items(self) -> int:
        """Bindings that the facts take: a sequence one more than it has values, for its end."""
        if not self.many:
            return len(self.facts)
        return sum(len(values) + 1 for _, values in self.facts.values())

    def values(self) -> set[str]:
        """The values, each once."""
        return {item for _, value in self.facts.values() for item in as_tuple(value)}


@dataclass(frozen=True)
class Ingested:
    """Counts of the facts of a table by their outcome on the tape."""

    added: int
    known: int
    replaced: int
    kept: int
    extended: int = 0


def gather(
    rows: Iterable[FactRow | BadRow],
    on_conflict: str = "error",
    bad: str = "stop",
    many: bool = False,
) -> FactTable:
    """Judge rows against one another.

    Args:
        on_conflict: of two values of one key the ``"keep"`` rule takes the first, ``"replace"``
            the last; ``"error"`` refuses them.
        bad: ``"stop"`` at the first bad row, or ``"skip"`` them all.
        many: all values of a key are its value, a sequence.

    Raises:
        ValueError: a bad row or a conflict that stops; names the line.
    """
    for name, given, allowed in (
        ("on_conflict", on_conflict, ON_CONFLICT),
        ("bad", bad, ("skip", "stop")),
    ):
        if given not in allowed:
            raise ValueError(f"{name} = {given!r}: must be one of {', '.join(allowed)}")
    table = FactTable(many)
    for row in rows:
        if isinstance(row, FactRow):
            table.add(row, on_conflict)
        elif bad == "stop":
            raise ValueError(f"line {row.line}: {row.why}")
        else:
            table.bad.append(row)
    if many:
        table.facts = {key: (line, tuple(held)) for key, (line, held) in table.facts.items()}
    return table


def plan_tape(
    table: FactTable,
    facts: int | None = None,
    candidates: int | None = None,
    **config: Any,
) -> HoloTape:
    """An empty tape for a table.

    Args:
        facts, candidates: items and values that it has room for; None = twice those of the table.
        config: further arguments of :meth:`prism.holo.tape.HoloTape.plan`.

    Raises:
        ValueError: no such tape, or one that does not fit the memory.
    """
    facts = 2 * table.items if facts is None else facts
    if candidates is None:
        candidates = max(2, 2 * len(table.values()))
    if table.many:
        config["sequence"] = True
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
    check_tape(tape, table.many)
    keys = list(table.facts)
    values = [_value(tape, line, value) for line, value in table.facts.values()]
    known = differing = extended = 0
    for i, row in enumerate(tape.ledger.find(tape.hash(keys)).tolist()):
        if row < 0:
            continue
        held = as_tuple(tape.stored_value(row))
        new = as_tuple(values[i])
        if table.many:
            values[i] = tuple(dict.fromkeys((*held, *new)))
            known += values[i] == held
            extended += values[i] != held
        elif held == new:
            known += 1
        elif on_conflict == "error":
            says = (
                f"key {keys[i]!r} is {values[i]!r}, but the tape holds {tape.stored_value(row)!r}"
            )
            raise ValueError(f"line {table.facts[keys[i]][0]}: {says}")
        else:
            differing += 1
    rule = "replace" if table.many else on_conflict
    for low in range(0, len(keys), BATCH):
        part = slice(low, low + BATCH)
        tape.bind_many(keys[part], values[part], source, on_conflict=rule)
        if progress is not None:
            progress(len(keys[part]))
    replaced = differing if on_conflict == "replace" else 0
    added = len(keys) - known - differing - extended
    return Ingested(added, known, replaced, differing - replaced, extended)


def check_tape(tape: HoloTape, many: bool) -> None:
    """Raises:
    ValueError: a tape that cannot take a table, or none with sequences."""
    if tape.ledger is None:
        raise ValueError("a tape without a ledger cannot tell which keys it holds")
    if many and not tape.config.sequence:
        raise ValueError("many: this tape holds one value a key; a new tape would hold more")


def _value(tape: HoloTape, line: int, text: Value) -> Any:
    """The text, or each of a sequence, as a value of the tape's vocabulary."""
    vocabulary = tape.vocabulary
    if isinstance(text, tuple):
        return tuple(_value(tape, line, item) for item in text)
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
