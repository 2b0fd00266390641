"""Tables of facts into a knowledge base and out of it, with the line that each fact stood on.

    long   columns subject, relation, object: a fact a row
    wide   one column of subjects, each other wanted column a relation: several facts a row

CSV, TSV and JSON lines, also as .gz, as :mod:`prism.holo.reading` reads them. A file is trusted
less than a program or a user: what contradicts them waits.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from prism import whole_file
from prism.holo.reading import STDIN, BadRow, read_records
from prism.mind.knowledge import KnowledgeBase
from prism.mind.ledger import Statement
from prism.mind.records import Fact, Source

LONG = ("subject", "relation", "object")
EXPORTED = ".jsonl"
NAMED = 10  # bad lines in one error
CLAIMS = ("source", "recorded_at", "valid_from", "valid_to")  # of an export, which no file may make
LEFT = (
    "sources and times in the file were not taken over; each fact has its file, line and time now"
)
BATCH = 5_000  # facts of one operation


@dataclass(frozen=True)
class Imported:
    """Counts of an import; ``bad`` are the rows that held no fact, with their lines, ``left`` says
    that sources or times of the file were not taken over."""

    added: int
    known: int
    superseded: int
    pending: int
    operations: tuple[int, ...]
    bad: tuple[BadRow, ...]
    left: bool


def statements(
    path: Path,
    subject: str | None = None,
    relations: Sequence[str] = (),
    delimiter: str | None = None,
    many: bool = False,
    long: LongColumns | None = None,
) -> Iterator[Statement | BadRow]:
    """The facts that a table states, in order; an empty field of a wide table states nothing.

    Args:
        path: the table.
        subject: column of the subjects of a wide table; None = a long one.
        relations: columns of a wide table that are relations.
        delimiter: see :func:`prism.holo.reading.read_rows`.
        many: relations take several objects at once.
        long: told what a long table's first line has.

    Raises:
        ValueError: a table without the columns, or one that cannot be read.
    """
    if subject is None and relations:
        raise ValueError("relations are given without the column of their subjects")
    if subject is not None and not relations:
        raise ValueError(f"subject column {subject!r}: needs at least one column of a relation")
    long = LongColumns(many) if long is None else long
    for record in read_records(path, long if subject is None else (subject, *relations), delimiter):
        if isinstance(record, BadRow):
            yield record
            continue
        line, fields = record
        source = Source("file", str(path), line)
        several = many
        if subject is None:
            triples = [tuple(fields[:3])]
            several = many or [str(x).lower() for x in fields[3:]] == ["true"]
        else:
            pairs = zip(relations, fields[1:], strict=True)
            triples = [(fields[0], name, value) for name, value in pairs if value]
        for triple in triples:
            yield _stated(triple, source, several)


class LongColumns:
    """Columns of a long table by its first line: JSON as :func:`export_table` writes it says of
    each relation whether it takes several objects, unless ``many`` says it of all.

    Attributes:
        left: the line has sources or times, which no fact takes over: a file that names a user
            would have a user's trust.
    """

    def __init__(self, many: bool = False) -> None:
        self.many, self.left = many, False

    def __call__(self, first: str) -> tuple[str, ...]:
        try:
            record = json.loads(first)
        except ValueError:  # a header, or a line that the reading names
            record = dict.fromkeys(name.strip(' "\r\n') for name in re.split(r"[,;|\t]", first))
        if not isinstance(record, dict):
            return LONG
        self.left = not record.keys().isdisjoint(CLAIMS)
        several = not self.many and isinstance(record.get("many"), bool)
        return (*LONG, "many") if several else LONG


def _stated(triple: Sequence[str], source: Source, many: bool) -> Statement | BadRow:
    said = Statement(*triple, source, many)  # type: ignore[misc]
    try:
        _ = said.names
    except ValueError as error:
        return BadRow(int(source.line or 0), str(error))
    return said


def import_table(
    kb: KnowledgeBase,
    path: Path,
    subject: str | None = None,
    relations: Sequence[str] = (),
    delimiter: str | None = None,
    many: bool = False,
    bad: str = "stop",
) -> Imported:
    """Add what a table states, in operations of at most 5,000 facts.

    Args:
        bad: rows that hold no fact: ``"stop"`` (nothing is added) or ``"skip"``.

    Raises:
        ValueError: a bad row, or a table that cannot be read; names the bad lines.
        OSError: there is no such file, or it cannot be read.
    """
    if path != STDIN and not path.exists():  # before its name is looked at
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    long = LongColumns(many)
    rows = list(_once(statements(path, subject, relations, delimiter, many, long)))
    wrong = [row for row in rows if isinstance(row, BadRow)]
    if wrong and bad == "stop":
        raise ValueError(f"line {wrong[0].line}: {wrong[0].why}{_bad_lines(wrong)}")
    said = [row for row in rows if not isinstance(row, BadRow)]
    counts = dict.fromkeys(("added", "known", "superseded", "pending"), 0)
    operations = []
    for first in range(0, len(said), BATCH):
        done = kb.add_many(said[first : first + BATCH])
        for added in done:
            counts[added.outcome] += 1
        operations += [added.operation for added in done if added.operation is not None][:1]
    return Imported(**counts, operations=tuple(operations), bad=tuple(wrong), left=long.left)


def _bad_lines(rows: Sequence[BadRow]) -> str:
    """The numbers of all lines with a bad row, where there are several."""
    lines = sorted({row.line for row in rows})
    if len(lines) == 1:
        return ""
    more = f" and {len(lines) - NAMED:,} more" if len(lines) > NAMED else ""
    return f" (bad lines: {', '.join(map(str, lines[:NAMED]))}{more})"


def _once(rows: Iterator[Statement | BadRow]) -> Iterator[Statement | BadRow]:
    """The rows; a second object of a relation that takes one is a bad row, not a correction."""
    said: dict[tuple[str, str], Statement] = {}
    for row in rows:
        if isinstance(row, BadRow) or row.many:
            yield row
            continue
        subject, relation, thing = row.names
        first = said.setdefault((subject, relation), row)
        if first.names[2] == thing:
            yield row
        else:
            what = f"{row.relation} of {row.subject} is {first.object!r} on line"
            yield BadRow(
                int(row.source.line or 0),
                f"{what} {first.source.line} and {row.object!r} here; with many it is both",
            )


def check_export(path: Path, replace: bool = False) -> None:
    """Refuse what :func:`export_table` would not write to.

    Raises:
        ValueError: a name that does not end in ``.jsonl``, a folder in its place, or no folder
            around it.
        FileExistsError: it is there, and ``replace`` is false.
    """
    if path.suffix.lower() != EXPORTED:
        raise ValueError(f"{path}: extension {path.suffix!r}: must be {EXPORTED}")
    if path.is_dir():
        raise ValueError(f"{path}: is a folder; must be a file")
    if path.exists() and not replace:
        raise FileExistsError(f"{path}: is there already; must be a new file")
    folder = whole_file.resolved(path).parent
    if not folder.is_dir():
        raise ValueError(f"{path}: folder {folder}: is not there; must be made first")


def export_table(kb: KnowledgeBase, path: Path, replace: bool = False) -> int:
    """Write all live facts, kept sentences among them, as JSON lines that :func:`import_table`
    reads again; their number.

    Raises:
        ValueError: see :func:`check_export`, or ``path`` is the knowledge base itself.
        FileExistsError: it is there, and ``replace`` is false.
    """
    check_export(path, replace)
    if whole_file.resolved(path) == whole_file.resolved(Path(kb.ledger.path)):
        raise ValueError(f"{path}: is the knowledge base; must be another file")
    lines = [json.dumps(plain(fact), ensure_ascii=False) for fact in exported(kb)]
    whole_file.write(path, "".join(f"{line}\n" for line in lines))
    return len(lines)


def exported(kb: KnowledgeBase) -> list[Fact]:
    """All live facts and kept sentences, in the order in which they were added."""
    return sorted([*kb.facts(), *kb.remarks()], key=lambda fact: fact.id)


def plain(fact: Fact) -> dict[str, object]:
    """A fact as plain values; fields that are None are left out."""
    values = dataclasses.asdict(fact) | {"source": str(fact.source)}
    return {name: value for name, value in values.items() if value is not None}
