"""Table ingestion: rows of a table become facts of a tape.

    read_rows  a file -> rows      gather  rows -> table      ingest  table -> tape

All rows are judged first, in the order of the file, against the rows above them and against the
tape. Only then is anything bound, so a file that is refused leaves no trace. Two keys are one where
:mod:`prism.holo.keys.normal` says so, on the tape as in the file.

One-to-many: with ``many`` the values that a key has in several rows are one value, a sequence of
them in their order, each once. A tape made for sequences holds it; a later file adds to it.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice, zip_longest
from typing import Any

from prism.holo.keys.normal import normal_key
from prism.holo.reading import BadRow, FactRow
from prism.holo.tape import ON_CONFLICT, HoloTape
from prism.holo.vocabulary import Vocabulary, as_tuple

__all__ = ["FactTable", "Ingested", "check_tape", "gather", "ingest", "plan_tape"]
BATCH = 40_000  # facts bound at once: what they take besides is a tenth of a large tape
Value = str | tuple[str, ...]


@dataclass
class FactTable:
    """The facts of a file, judged against one another. A value that many keys have is kept once,
    and lines in an array, as a million facts are to fit beside their tape.

    Attributes:
        many: whether a key has a sequence of values.
        facts: value by key, in the order of the file.
        keys: different keys that were read.
        rows: good rows read.
        bad: rows that are no fact.
        kept: rows that contradicted an earlier one, which stayed.
        replaced: rows whose value was replaced by a later one of the file.
    """

    many: bool = False
    facts: dict[str, Value] = field(default_factory=dict)
    keys: int = 0
    rows: int = 0
    bad: list[BadRow] = field(default_factory=list)
    kept: int = 0
    replaced: int = 0
    _lines: array[int] = field(default_factory=lambda: array("q"))  # by place
    _moved: dict[str, int] = field(default_factory=dict)  # lines of values that replaced others
    _values: dict[str, str] = field(default_factory=dict)  # each text once

    def add(self, row: FactRow, on_conflict: str) -> None:
        """Enter a row, whose key is in its one spelling, by the rule if a row above it gives the
        key another value."""
        self.rows += 1
        key, value = row.key, self._values.setdefault(row.value, row.value)
        held = self.facts.get(key)
        if held is None:
            self.facts[key] = {value: None} if self.many else value  # type: ignore[assignment]
            self._lines.append(row.line)
            self.keys += 1
        elif self.many:
            held[value] = None  # type: ignore[index, call-overload]
        elif held == value:
            return
        elif on_conflict == "error":
            line = self.line(list(self.facts).index(key), key)
            says = f"key {row.key!r} is {row.value!r}, but {held!r} on line {line}"
            raise ValueError(f"line {row.line}: {says}")
        elif on_conflict == "replace":
            self.facts[key], self._moved[key] = value, row.line
            self.replaced += 1
        else:
            self.kept += 1

    def line(self, place: int, key: str) -> int:
        """The line of the fact at a place in the order of the file."""
        return self._moved.get(key, self._lines[place])

    @property
    def items(self) -> int:
        """Bindings that the facts take: a sequence one more than it has values, for its end."""
        if not self.many:
            return len(self.facts)
        return sum(len(values) + 1 for values in self.facts.values())

    def values(self) -> set[str]:
        """The values, each once."""
        if not self.many:
            return set(self.facts.values())  # type: ignore[arg-type]
        return {item for value in self.facts.values() for item in as_tuple(value)}

    def let_go(self) -> tuple[list[str | None], list[Value | None]]:
        """Keys and values in the order of the file; the table is empty afterwards, so that who
        takes them can free them one by one."""
        facts, self.facts = self.facts, {}
        self._moved, self._values = {}, {}
        return list(facts), list(facts.values())


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
    vocabulary: Vocabulary | None = None,
) -> FactTable:
    """Judge rows against one another.

    Args:
        on_conflict: of two values of one key the ``"keep"`` rule takes the first, ``"replace"``
            the last; ``"error"`` refuses them.
        bad: ``"stop"`` at the first bad row, or ``"skip"`` them all.
        many: all values of a key are its value, a sequence.
        vocabulary: of the tape; a row with a value that it cannot have is bad.

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
    for read in rows:
        row = _judged(read, vocabulary) if isinstance(read, FactRow) else read
        if isinstance(row, FactRow):
            table.add(row, on_conflict)
        elif bad == "stop":
            raise ValueError(f"line {row.line}: {row.why}")
        else:
            table.bad.append(row)
    if many:
        for key, held in table.facts.items():
            table.facts[key] = tuple(held)
    return table


def _judged(row: FactRow, vocabulary: Vocabulary | None) -> FactRow | BadRow:
    """The row with its key in its one spelling; a bad row where it has none, or the vocabulary has
    no such value."""
    line, key, value = row
    try:
        if not key.isascii() or key.split(" ") != key.split():
            row = FactRow(line, str(normal_key(key)), value)
        if vocabulary is not None:
            _value(vocabulary, value)
    except ValueError as error:
        return BadRow(line, str(error))
    return row


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
    """Bind the facts of ``table`` to ``tape``; the table is empty afterwards.

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
    outcome, longer = _compare(tape, table, on_conflict)
    rule = "replace" if table.many else on_conflict
    keys, values = table.let_go()
    for low in range(0, len(keys), BATCH):
        part = slice(low, low + BATCH)
        names = keys[part]
        held = [
            longer[place] if place in longer else _value(tape.vocabulary, value)
            for place, value in enumerate(values[part], low)
        ]
        tape.bind_many(names, held, source, on_conflict=rule)
        keys[part] = values[part] = [None] * len(names)  # they are on the tape now
        if progress is not None:
            progress(len(names))
    return outcome


def _compare(
    tape: HoloTape, table: FactTable, on_conflict: str
) -> tuple[Ingested, dict[int, tuple[str, ...]]]:
    """Counts of the facts by what they are to the tape, and, by place, the sequences that are
    longer with what the tape holds; raises ValueError where one cannot be bound."""
    known = differing = 0
    longer: dict[int, tuple[str, ...]] = {}
    place = -1
    facts = iter(table.facts.items())
    while part := list(islice(facts, BATCH)):
        rows = tape.ledger.find(tape.hash([key for key, _ in part])).tolist() if tape.count else ()
        for (key, text), row in zip_longest(part, rows, fillvalue=-1):
            place += 1
            try:
                value = _value(tape.vocabulary, text)
            except ValueError as error:
                raise ValueError(f"line {table.line(place, key)}: {error}") from error
            if row < 0:
                continue
            held = tape.stored_value(row)
            if table.many:
                whole = tuple(dict.fromkeys((*as_tuple(held), *as_tuple(value))))
                known += whole == held
                if whole != held:
                    longer[place] = whole
            elif as_tuple(held) == as_tuple(value):
                known += 1
            elif on_conflict == "error":
                says = f"key {key!r} is {value!r}, but the tape holds {held!r}"
                raise ValueError(f"line {table.line(place, key)}: {says}")
            else:
                differing += 1
    replaced = differing if on_conflict == "replace" else 0
    added = place + 1 - known - differing - len(longer)
    return Ingested(added, known, replaced, differing - replaced, len(longer)), longer


def check_tape(tape: HoloTape, many: bool) -> None:
    """Raises:
    ValueError: a tape that cannot take a table, or none with sequences."""
    if tape.ledger is None:
        raise ValueError("a tape without a ledger cannot tell which keys it holds")
    if many and not tape.config.sequence:
        raise ValueError("many: this tape holds one value a key; a new tape would hold more")


def _value(vocabulary: Vocabulary, text: Any) -> Any:
    """The text, or each of a sequence, as a value of a tape's vocabulary."""
    if vocabulary.open:
        return text
    if isinstance(text, tuple):
        return tuple(_value(vocabulary, item) for item in text)
    if vocabulary.items is None and not text.isdecimal():
        raise ValueError(f"value {text!r}: must be a whole number")
    value = int(text) if vocabulary.items is None else text
    vocabulary.ids([value])
    return value
