"""Ledger of the knowledge base: append, retire, undo and erase facts, each in one transaction.

Nothing is overwritten. A new value of a one-valued relation retires the old row and names itself as
its successor; undoing an operation retires what it added and adds again what it retired. Every
transaction that changes a tenant's live facts leaves rows in ``changes``, whose growing sequence
number is what a view follows.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from prism.mind.records import TRUST, Fact, Source, identity
from prism.mind.schema import connect, refused, transaction

COLUMNS = """facts.id, subject, relation, object, slot, valid_from, valid_to, recorded_at,
    retired_at, superseded_by, kind, uri, line, text"""
BATCH = 500  # numbers in one statement
FACTS = f"SELECT {COLUMNS} FROM facts JOIN sources ON sources.id = facts.source"


@dataclass(frozen=True)
class Statement:
    """A fact that somebody wants to add; the fields are those of :class:`Fact`."""

    subject: str
    relation: str
    object: str
    source: Source
    many: bool = False
    valid_from: float | None = None
    valid_to: float | None = None

    def __post_init__(self) -> None:
        if None not in (self.valid_from, self.valid_to) and self.valid_from >= self.valid_to:
            raise ValueError(
                f"valid_from {self.valid_from}, valid_to {self.valid_to}: must be in this order"
            )

    @cached_property
    def names(self) -> tuple[str, str, str]:
        """The identities of subject, relation and object."""
        fields = (("subject", self.subject), ("relation", self.relation), ("object", self.object))
        return tuple(identity(value, what) for what, value in fields)  # type: ignore[return-value]


class Ledger:
    """All tenants' facts in one file. Safe to use from several threads and processes.

    Args:
        path: the SQLite file; made if it is not there.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.db = connect(self.path)
        self._lock = threading.RLock()

    def close(self) -> None:
        """Close the file; what was acknowledged is there."""
        with self._lock:
            self.db.close()

    @contextmanager
    def operation(self, tenant: str, kind: str) -> Iterator[Operation]:
        """A write transaction of one tenant, to be undone as one."""
        with self._lock, transaction(self.db, self.path):
            now = self._now()
            row = self.db.execute(
                "INSERT INTO operations (tenant, kind, at) VALUES (?, ?, ?)", (tenant, kind, now)
            )
            yield Operation(self.db, tenant, int(row.lastrowid or 0), now)

    def _now(self) -> float:
        """The time, later than any operation before, so that every moment has one state."""
        last = self.db.execute("SELECT max(at) FROM operations").fetchone()[0]
        return max(time.time(), (last or 0.0) + 1e-6)

    def rows(self, where: str, values: tuple[object, ...], order: str = "facts.id") -> list[Fact]:
        """Facts that meet an SQL condition."""
        with self._lock:
            found = self.db.execute(f"{FACTS} WHERE {where} ORDER BY {order}", values).fetchall()
        return [fact_of(row) for row in found]

    def numbered(self, numbers: Iterable[int]) -> dict[int, Fact]:
        """Facts by their numbers."""
        found: dict[int, Fact] = {}
        wanted = sorted(set(numbers))
        for first in range(0, len(wanted), BATCH):
            batch = tuple(wanted[first : first + BATCH])
            marks = ", ".join("?" * len(batch))
            found |= {fact.id: fact for fact in self.rows(f"facts.id IN ({marks})", batch)}
        return found

    def query(self, sql: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        """Rows of a reading statement."""
        with self._lock:
            return self.db.execute(sql, values).fetchall()

    def last_change(self, tenant: str) -> int:
        """Sequence number of the tenant's last change; 0 = none."""
        sql = "SELECT max(seq) FROM changes WHERE tenant = ?"
        return int(self.query(sql, (tenant,))[0][0] or 0)

    def compact(self) -> None:
        """Rewrite the file without anything that was deleted, and empty its write-ahead log.

        Raises:
            Busy: another connection reads or writes for more than 30 s; try again.
        """
        with self._lock:
            try:
                self.db.execute("VACUUM")
                busy, *_ = self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.OperationalError as error:
                raise refused(error, self.path) from error
        if busy:
            raise refused(sqlite3.OperationalError("locked"), self.path)


class Operation:
    """The writes of one open transaction.

    Attributes:
        id: number of the operation, by which it can be undone.
        now: its time.
    """

    def __init__(self, db: sqlite3.Connection, tenant: str, id: int, now: float) -> None:
        self.db, self.tenant, self.id, self.now = db, tenant, id, now
        self._sources: dict[Source, int] = {}

    def live(self, subject_id: str, relation_id: str) -> list[Fact]:
        """The facts that hold now about a subject and relation."""
        where = "tenant = ? AND subject_id = ? AND relation_id = ? AND retired_at IS NULL"
        rows = self.db.execute(
            f"{FACTS} WHERE {where} ORDER BY slot", (self.tenant, subject_id, relation_id)
        )
        return [fact_of(row) for row in rows.fetchall()]

    def add(self, said: Statement, slot: int) -> int:
        """Write a fact; its number."""
        values = (
            *(self.tenant, said.subject, said.relation, said.object, *said.names, slot),
            *(self.source(said.source), said.valid_from, said.valid_to, self.now, self.id),
        )
        cursor = self.db.execute(
            "INSERT INTO facts (tenant, subject, relation, object, subject_id, relation_id, "
            "object_id, slot, source, valid_from, valid_to, recorded_at, added_by) "
            f"VALUES ({', '.join('?' * 13)})",
            values,
        )
        number = int(cursor.lastrowid or 0)
        self.changed("add", number)
        return number

    def retire(self, fact: int, superseded_by: int | None = None) -> None:
        """Stop believing a fact; it stays in the history."""
        done = self.db.execute(
            "UPDATE facts SET retired_at = ?, superseded_by = ?, retired_by = ? "
            "WHERE id = ? AND tenant = ? AND retired_at IS NULL",
            (self.now, superseded_by, self.id, fact, self.tenant),
        )
        if done.rowcount:  # else somebody else has retired it meanwhile
            self.changed("retire", fact)

    def supersede(self, old: Fact, said: Statement, slot: int) -> int:
        """Put a fact in the place of another; its number."""
        self.retire(old.id)
        number = self.add(said, slot)
        self.db.execute("UPDATE facts SET superseded_by = ? WHERE id = ?", (number, old.id))
        return number

    def source(self, source: Source) -> int:
        """Number of a source's row."""
        if source not in self._sources:
            cursor = self.db.execute(
                "INSERT INTO sources (kind, uri, line, text) VALUES (?, ?, ?, ?)",
                (source.kind, source.uri, source.line, source.text),
            )
            self._sources[source] = int(cursor.lastrowid or 0)
        return self._sources[source]

    def rebuild(self) -> None:
        """Tell views that rows have gone which they cannot take back one by one."""
        self.changed("rebuild", None)

    def changed(self, op: str, fact: int | None) -> None:
        """Leave a row that views follow."""
        self.db.execute(
            "INSERT INTO changes (tenant, op, fact) VALUES (?, ?, ?)", (self.tenant, op, fact)
        )


def fact_of(row: sqlite3.Row) -> Fact:
    """The fact in a row of :data:`FACTS`."""
    return Fact(
        id=row["id"],
        subject=row["subject"],
        relation=row["relation"],
        object=row["object"],
        many=row["slot"] > 0,
        source=Source(row["kind"], row["uri"], row["line"], row["text"]),
        recorded_at=row["recorded_at"],
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
        retired_at=row["retired_at"],
        superseded_by=row["superseded_by"],
    )


def trusts(new: Source, old: Source) -> bool:
    """True if what ``new`` says may replace what ``old`` said."""
    return TRUST[new.kind] >= TRUST[old.kind]
