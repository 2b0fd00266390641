"""Schema of the knowledge base's SQLite file, and connections to it.

WAL with ``synchronous=FULL``: a transaction that was acknowledged survives a power cut. Tables are
STRICT. Two partial unique indexes make a second live value of a one-valued relation, and a second
copy of a fact, impossible whatever the code does. ``secure_delete`` overwrites what is deleted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VERSION = 1
PATIENCE = 30.0  # seconds that a writer waits for another

TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE sources (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('user', 'api', 'file')),
    uri TEXT, line INTEGER, text TEXT) STRICT;
CREATE TABLE operations (
    id INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, kind TEXT NOT NULL,
    at REAL NOT NULL, undone_by INTEGER) STRICT;
CREATE TABLE facts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL,
    subject TEXT NOT NULL, relation TEXT NOT NULL, object TEXT NOT NULL,
    subject_id TEXT NOT NULL, relation_id TEXT NOT NULL, object_id TEXT NOT NULL,
    slot INTEGER NOT NULL, source INTEGER NOT NULL REFERENCES sources (id),
    valid_from REAL, valid_to REAL, recorded_at REAL NOT NULL, retired_at REAL,
    superseded_by INTEGER, added_by INTEGER NOT NULL, retired_by INTEGER) STRICT;
CREATE UNIQUE INDEX live_slot ON facts (tenant, subject_id, relation_id, slot)
    WHERE retired_at IS NULL;
CREATE UNIQUE INDEX live_object ON facts (tenant, subject_id, relation_id, object_id)
    WHERE retired_at IS NULL;
CREATE INDEX by_name ON facts (tenant, subject_id, relation_id);
CREATE INDEX by_object ON facts (tenant, object_id);
CREATE INDEX by_source ON facts (source);
CREATE INDEX by_adding ON facts (added_by);
CREATE INDEX by_retiring ON facts (retired_by) WHERE retired_by IS NOT NULL;
CREATE TABLE changes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL,
    op TEXT NOT NULL CHECK (op IN ('add', 'retire', 'rebuild')), fact INTEGER) STRICT;
CREATE INDEX by_tenant ON changes (tenant, seq);
CREATE TABLE pending (
    id INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL,
    subject TEXT NOT NULL, relation TEXT NOT NULL, object TEXT NOT NULL,
    subject_id TEXT NOT NULL, relation_id TEXT NOT NULL, object_id TEXT NOT NULL,
    source INTEGER NOT NULL REFERENCES sources (id), valid_from REAL, valid_to REAL,
    at REAL NOT NULL, UNIQUE (tenant, subject_id, relation_id, object_id)) STRICT;
"""


class Busy(RuntimeError):
    """Another process holds the knowledge base longer than a writer waits."""


def connect(path: Path) -> sqlite3.Connection:
    """An open connection to the knowledge base at ``path``, which is made if it is not there.

    Raises:
        ValueError: the file is not a knowledge base, or of a newer version; names the file.
        OSError: it cannot be opened or made.
    """
    if path == Path("-"):
        raise ValueError("knowledge base -: must be a file, not a standard stream")
    if path.is_dir():
        raise ValueError(f"knowledge base {path}: is a folder; must be a file")
    if not path.parent.is_dir():
        raise ValueError(f"knowledge base {path}: the folder {path.parent} does not exist")
    try:
        db = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    except sqlite3.OperationalError as error:
        raise OSError(f"knowledge base {path}: {error}") from error
    db.row_factory = sqlite3.Row
    try:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            db.execute(f"PRAGMA {pragma}")
        db.execute("PRAGMA foreign_keys=ON")
        _prepare(db, path)
    except sqlite3.DatabaseError as error:
        db.close()
        raise refused(error, path) from error
    except ValueError:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        with transaction(db, path):
            if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                for statement in TABLES.split(";\n"):
                    if statement.strip():
                        db.execute(statement)
                db.execute("INSERT INTO meta VALUES ('version', ?)", (str(VERSION),))
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
        raise ValueError(f"{path}: is an SQLite file but not a knowledge base")
    version = int(db.execute("SELECT value FROM meta WHERE name = 'version'").fetchone()[0])
    if version > VERSION:
        raise ValueError(
            f"knowledge base {path}: has version {version}; this program reads up to {VERSION}"
        )


@contextmanager
def transaction(db: sqlite3.Connection, path: Path) -> Iterator[None]:
    """A write transaction, all of it or nothing.

    Raises:
        Busy: another writer holds the file for more than 30 s.
        OSError: the disk is full or the file read-only; nothing has changed.
    """
    try:
        db.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        raise refused(error, path) from error
    try:
        yield
        db.execute("COMMIT")
    except BaseException as error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        if isinstance(error, sqlite3.OperationalError):
            raise refused(error, path) from error
        raise


def refused(error: sqlite3.DatabaseError, path: Path) -> Exception:
    """The error of SQLite as one that names the file."""
    text = str(error)
    if "locked" in text or "busy" in text:
        return Busy(f"knowledge base {path}: another writer has held it for {PATIENCE:.0f} s")
    if isinstance(error, sqlite3.OperationalError):
        return OSError(f"knowledge base {path}: {text}; nothing was changed")
    return ValueError(f"{path}: is not a knowledge base ({text})")
