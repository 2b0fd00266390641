"""Corrections of a knowledge base: undo an operation, decide on waiting statements, erase.

Undoing is a new operation: what the old one added is retired, what it retired is added again. It is
refused where something has been built on it since. Erasing is the one deed that leaves nothing: the
rows, their history, the words of their sources, the tape's snapshot, and the bytes in the file and
its write-ahead log.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from prism.mind.ledger import Operation, Statement
from prism.mind.records import SAID, Fact, Source, forget_texts, identity

if TYPE_CHECKING:
    from prism.mind.knowledge import Added, KnowledgeBase

KEPT = "(id = ? AND relation_id = ?)"
LEFT_WAITING = "pending.tenant = operations.tenant AND pending.at = operations.at"  # by it alone
LAST = (
    "SELECT id FROM operations WHERE tenant = ? AND undone_by IS NULL AND kind NOT IN ('undo', "
    "'erase') AND (EXISTS (SELECT 1 FROM facts WHERE added_by = operations.id OR retired_by = "
    f"operations.id) OR EXISTS (SELECT 1 FROM pending WHERE {LEFT_WAITING})) "
    "ORDER BY id DESC LIMIT 1"
)
AGAIN = (  # the row that an undo made of one that had been retired
    "SELECT copy.id AS id FROM facts AS old JOIN facts AS copy ON copy.tenant = old.tenant AND "
    "copy.subject_id = old.subject_id AND copy.relation_id = old.relation_id AND copy.object_id = "
    "old.object_id JOIN operations ON operations.id = copy.added_by WHERE old.id = ? AND "
    "copy.retired_at IS NULL AND operations.kind = 'undo'"
)
WAITING = (
    "SELECT pending.id AS id, subject, relation, object, valid_from, valid_to, at, kind, uri, "
    "line, text FROM pending JOIN sources ON sources.id = pending.source WHERE tenant = ?"
)


def undo(kb: KnowledgeBase, operation: int | None = None) -> list[Fact]:
    """Take back an operation; the facts that hold again and did not before.

    Args:
        kb: the knowledge base.
        operation: its number; None = the last one that can be undone.

    Raises:
        KeyError: there is no such operation, or nothing left to undo.
        ValueError: it was undone already, or later operations have changed what it wrote.
    """
    with kb.ledger.operation(kb.tenant, "undo") as new:
        number = _to_undo(kb, new, operation)
        back = _reverse(new, number)
        new.db.execute(
            "DELETE FROM pending WHERE id IN (SELECT pending.id FROM pending JOIN operations ON "
            f"{LEFT_WAITING} WHERE operations.id = ?)",
            (number,),
        )
        new.db.execute("UPDATE operations SET undone_by = ? WHERE id = ?", (new.id, number))
    return [kb.fact(i) for i in back]


def undoable(kb: KnowledgeBase) -> int:
    """Number of the operation that :func:`undo` takes back, see :func:`last_operation`.

    Raises:
        KeyError: there is nothing to undo.
    """
    if (found := last_operation(kb)) is None:
        raise KeyError("undo: there is nothing to undo")
    return found


def last_operation(kb: KnowledgeBase) -> int | None:
    """Number of the last operation that changed a fact, or left a statement that waits still, and
    was not undone; None = there is none."""
    found = kb.ledger.query(LAST, (kb.tenant,))
    return int(found[0]["id"]) if found else None


def waiting(kb: KnowledgeBase, operation: int) -> list[Statement]:
    """The statements that an operation left waiting, and that wait still."""
    sql = f"{WAITING} AND at = (SELECT at FROM operations WHERE id = ?)"
    return [_statement(row) for row in kb.ledger.query(sql, (kb.tenant, operation))]


def _to_undo(kb: KnowledgeBase, new: Operation, number: int | None) -> int:
    if number is None:
        return undoable(kb)
    row = new.db.execute(
        "SELECT kind, undone_by FROM operations WHERE tenant = ? AND id = ? AND id < ?",
        (kb.tenant, number, new.id),
    ).fetchone()
    if row is None:
        raise KeyError(f"operation {number}: there is none")
    if row["undone_by"] is not None:
        raise ValueError(f"operation {number}: was undone already, by {row['undone_by']}")
    if row["kind"] in ("undo", "erase"):
        raise ValueError(f"operation {number}: {row['kind']} cannot be undone")
    return number


def _reverse(new: Operation, number: int) -> list[int]:
    """Retire what operation ``number`` added and add again what it retired; the new rows. A fact
    that it both added and retired ("he is 3; no, 4") is left as it is."""
    added = new.db.execute("SELECT * FROM facts WHERE added_by = ?", (number,)).fetchall()
    for row in added:
        if row["retired_by"] == number:
            continue
        if row["retired_at"] is None:
            new.retire(row["id"])
            continue
        copy = new.db.execute(AGAIN, (row["id"],)).fetchone()
        if copy is None:
            raise ValueError(
                f"operation {number}: fact {row['id']} has changed since; undo that first"
            )
        new.retire(copy["id"])
    back = []
    for row in new.db.execute(
        "SELECT * FROM facts WHERE retired_by = ? AND added_by != ?", (number, number)
    ).fetchall():
        try:
            back.append(_again(new, row))
        except sqlite3.IntegrityError:
            raise ValueError(
                f"operation {number}: another fact has taken the place of fact {row['id']} since; "
                "undo that first"
            ) from None
    return back


def _again(new: Operation, row: sqlite3.Row) -> int:
    """A copy of a retired row that holds again."""
    columns = (
        "tenant, subject, relation, object, subject_id, relation_id, object_id, slot, source, "
        "valid_from, valid_to"
    )
    cursor = new.db.execute(
        f"INSERT INTO facts ({columns}, recorded_at, added_by) "
        f"SELECT {columns}, ?, ? FROM facts WHERE id = ?",
        (new.now, new.id, row["id"]),
    )
    number = int(cursor.lastrowid or 0)
    new.changed("add", number)
    return number


def pending(kb: KnowledgeBase) -> list[tuple[int, Statement]]:
    """Statements that wait for a decision, with their numbers."""
    return [(row["id"], _statement(row)) for row in kb.ledger.query(WAITING, (kb.tenant,))]


def accept(kb: KnowledgeBase, number: int) -> Added:
    """Let a waiting statement replace the fact that it contradicts, as if a user had said it.

    Raises:
        KeyError: no such statement waits.
    """
    said = _take(kb, number)
    return kb.add_many([replace(said, source=replace(said.source, kind="user"))])[0]


def reject(kb: KnowledgeBase, number: int) -> None:
    """Drop a waiting statement.

    Raises:
        KeyError: no such statement waits.
    """
    _take(kb, number)


def _take(kb: KnowledgeBase, number: int) -> Statement:
    with kb.ledger.operation(kb.tenant, "decide") as operation:
        row = operation.db.execute(WAITING + " AND pending.id = ?", (kb.tenant, number)).fetchone()
        if row is None:
            raise KeyError(f"pending statement {number}: there is none")
        operation.db.execute("DELETE FROM pending WHERE id = ?", (number,))
    return _statement(row)


def _statement(row: sqlite3.Row) -> Statement:
    source = Source(row["kind"], row["uri"], row["line"], row["text"])
    times: dict[str, Any] = {"valid_from": row["valid_from"], "valid_to": row["valid_to"]}
    return Statement(row["subject"], row["relation"], row["object"], source, **times)


def erase(kb: KnowledgeBase, *, subject: str | None = None, fact: int | None = None) -> int:
    """Remove facts with their history so that no byte of them is left; the rows removed.

    Args:
        kb: the knowledge base.
        subject: everything about a subject, also where it is the object.
        fact: one fact, and all earlier and later values under its subject and relation.

    Raises:
        ValueError: neither or both given.
        KeyError: there is no such fact.
        Busy: somebody reads the file for longer than 30 s; the rows are gone, but their bytes are
            overwritten only by the next ``erase`` or ``kb.ledger.compact()``.
    """
    if (subject is None) == (fact is None):
        raise ValueError("erase: give subject or fact, one of them")
    if subject is not None:
        name = identity(subject, "subject")
        where, values = "(subject_id = ? OR object_id = ?)", (name, name)
        words = [name.rpartition("/")[2]]
    else:
        found = kb.fact(int(fact or 0))
        where = "(subject_id = ? AND relation_id = ?)"
        values = (identity(found.subject), identity(found.relation))
        words = [values[0].rpartition("/")[2], identity(found.object)]
    with kb.ledger.operation(kb.tenant, "erase") as operation:
        removed = _remove_remarks(operation, where, values, words)
        removed += _remove(operation, where, values)
        operation.rebuild()
    kb.view.drop()
    kb.ledger.compact()
    forget_texts()
    return removed


def _remove_remarks(
    operation: Operation, where: str, values: tuple[str, str], words: list[str]
) -> int:
    """Delete the sentences that facts to be erased were read from, and those that name all of
    ``words``."""
    db, tenant = operation.db, operation.tenant
    rows = db.execute(
        "SELECT id, object_id, source IN (SELECT source FROM facts WHERE tenant = ? AND "
        f"{where}) AS told FROM facts WHERE tenant = ? AND relation_id = ?",
        (tenant, *values, tenant, identity(SAID)),
    ).fetchall()
    names = [re.compile(rf"(?<!\w){re.escape(word)}(?!\w)") for word in words if word != "me"]
    gone = [
        row["id"]
        for row in rows
        if row["told"] or (names and all(name.search(row["object_id"]) for name in names))
    ]
    return sum(_remove(operation, KEPT, (number, identity(SAID))) for number in gone)


def _remove(operation: Operation, where: str, values: tuple[Any, Any]) -> int:
    """Delete the rows of facts and waiting statements, and the sources that only they had."""
    db, tenant = operation.db, operation.tenant
    chosen = f"SELECT id FROM facts WHERE tenant = ? AND {where}"
    named = db.execute(
        f"SELECT source FROM facts WHERE tenant = ? AND {where} UNION "
        f"SELECT source FROM pending WHERE tenant = ? AND {where}",
        (tenant, *values, tenant, *values),
    ).fetchall()
    db.execute(f"DELETE FROM changes WHERE fact IN ({chosen})", (tenant, *values))
    gone = db.execute(f"DELETE FROM facts WHERE tenant = ? AND {where}", (tenant, *values)).rowcount
    gone += db.execute(
        f"DELETE FROM pending WHERE tenant = ? AND {where}", (tenant, *values)
    ).rowcount
    for row in named:
        # A sentence may have said other facts too: they stay, its words go.
        db.execute("UPDATE sources SET text = NULL WHERE id = ?", (row["source"],))
        db.execute(
            "DELETE FROM sources WHERE id = ? AND NOT EXISTS (SELECT 1 FROM facts WHERE source = ?)"
            " AND NOT EXISTS (SELECT 1 FROM pending WHERE source = ?)",
            (row["source"],) * 3,
        )
    return gone
