"""KnowledgeBase: one tenant's facts, and the policy by which statements become facts.

    same object as a live fact            known        nothing is written
    no live fact, or a many-valued one    added
    another object, trusted as much       superseded   the old one goes into the history
    another object, trusted less          pending      it waits until somebody accepts it

Trust: user > api > file. Every write is an operation with a number and can be undone; ``erase``
cannot, as it leaves nothing to come back to.
"""

from __future__ import annotations

import math
import time as clock
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from prism.holo.recall import Recall
from prism.mind import corrections
from prism.mind.ledger import Ledger, Operation, Statement, trusts
from prism.mind.records import SAID, Fact, Source, identity
from prism.mind.view import TapeView

LIVE = "retired_at IS NULL"
WHOLE, MOST = "a whole number, 0 or more", 2**62
BELIEVED = "recorded_at <= ? AND (retired_at IS NULL OR retired_at > ?)"


@dataclass(frozen=True)
class Added:
    """Result of a statement.

    Attributes:
        outcome: ``added``, ``known``, ``superseded`` or ``pending``.
        fact: the live fact now; of ``pending`` the one that stays.
        before: the fact that was superseded, or None.
        operation: its number, for ``undo``; None where nothing was written.
        pending: number of the waiting statement, or None.
    """

    outcome: str
    fact: Fact
    before: Fact | None = None
    operation: int | None = None
    pending: int | None = None


class KnowledgeBase:
    """A tenant's facts in a file.

    Args:
        path: SQLite file; made if it is not there.
        tenant: owner of the facts; tenants of one file never see each other's.

    Raises:
        ValueError: an empty tenant, or a file that is no knowledge base.
    """

    def __init__(self, path: str | Path, tenant: str = "default") -> None:
        if not isinstance(tenant, str) or not tenant.strip():
            raise ValueError(f"tenant {tenant!r}: must be text that is not empty")
        self.tenant = tenant
        self.ledger = Ledger(path)
        self.view = TapeView(self.ledger, tenant)

    def close(self) -> None:
        """Keep a snapshot of the view, and close the file."""
        self.view.save()
        self.ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __len__(self) -> int:
        sql = f"SELECT count(*) FROM facts WHERE tenant = ? AND relation_id != ? AND {LIVE}"
        return int(self.ledger.query(sql, (self.tenant, SAID))[0][0])

    def add(
        self,
        subject: str,
        relation: str,
        object: str,
        *,
        source: Source | str | None = None,
        many: bool = False,
        valid_from: float | None = None,
        valid_to: float | None = None,
    ) -> Added:
        """State that ``object`` is the ``relation`` of ``subject``.

        Args:
            source: a :class:`Source`, or the name of the program that says so.
            many: the relation takes several objects at once.
            valid_from, valid_to: when it holds in the world, seconds since 1970.
        """
        if not isinstance(source, Source):
            source = Source("api", source)
        said = Statement(subject, relation, object, source, many, valid_from, valid_to)
        return self.add_many([said])[0]

    def add_many(self, statements: Iterable[Statement]) -> list[Added]:
        """State several things in one operation: all are written or none."""
        return self.change(statements)[0]

    def change(
        self, statements: Iterable[Statement], over: Iterable[int] = ()
    ) -> tuple[list[Added], int]:
        """Stop believing the live facts of some numbers and state several things, in one operation;
        what became of each statement, and the operation's number."""
        statements = list(statements)
        for said in statements:
            _ = said.names  # refused before anything is written
        with self.ledger.operation(self.tenant, "add") as operation:
            for number in over:
                operation.retire(number)
            outcomes = [self._state(operation, said) for said in statements]
        facts = self.ledger.numbered(i for _, *two, _ in outcomes for i in two if i is not None)
        added = [
            Added(
                outcome=outcome,
                fact=facts[number],
                before=None if before is None else facts[before],
                operation=None if outcome == "known" else operation.id,
                pending=waiting,
            )
            for outcome, number, before, waiting in outcomes
        ]
        return added, operation.id

    def _state(
        self, operation: Operation, said: Statement
    ) -> tuple[str, int, int | None, int | None]:
        """Outcome, the live fact's number, the superseded one's, the waiting statement's."""
        subject, relation, thing = said.names
        live = operation.live(subject, relation)
        same = [fact for fact in live if identity(fact.object) == thing]
        if same:
            return "known", same[0].id, None, None
        many = said.many or any(fact.many for fact in live)
        if many:
            return "added", operation.add(said, self._free_slot(operation, said)), None, None
        if not live:
            return "added", operation.add(said, 0), None, None
        if trusts(said.source, live[0].source):
            return "superseded", operation.supersede(live[0], said, 0), live[0].id, None
        return "pending", live[0].id, None, self._wait(operation, said)

    def _free_slot(self, operation: Operation, said: Statement) -> int:
        subject, relation, _ = said.names
        taken = operation.db.execute(
            f"SELECT slot FROM facts WHERE tenant = ? AND subject_id = ? AND relation_id = ? "
            f"AND {LIVE}",
            (self.tenant, subject, relation),
        )
        used = {row[0] for row in taken}
        return next(i for i in range(1, len(used) + 2) if i not in used)

    def _wait(self, operation: Operation, said: Statement) -> int:
        values = (
            *(self.tenant, said.subject, said.relation, said.object, *said.names),
            *(operation.source(said.source), said.valid_from, said.valid_to, operation.now),
        )
        row = operation.db.execute(
            "INSERT INTO pending (tenant, subject, relation, object, subject_id, relation_id, "
            f"object_id, source, valid_from, valid_to, at) VALUES ({', '.join('?' * 11)}) "
            "ON CONFLICT (tenant, subject_id, relation_id, object_id) DO UPDATE SET at = at "
            "RETURNING id",  # it waits since it was first said
            values,
        ).fetchone()
        return int(row[0])

    def fact(self, number: int) -> Fact:
        """The fact with a number, live or not.

        Raises:
            KeyError: this tenant has none.
        """
        found = self.ledger.rows("facts.id = ? AND tenant = ?", (number, self.tenant))
        if not found:
            raise KeyError(f"fact {number}: there is none")
        return found[0]

    def get(self, subject: str, relation: str, at: float | None = None) -> list[Fact]:
        """The facts about a subject and relation that hold: now, or as the base believed ``at``
        that time, in seconds since 1970.

        Raises:
            ValueError: ``at`` is no finite number.
        """
        if not (at is None or (isinstance(at, int | float) and math.isfinite(at))):
            raise ValueError(f"at = {at!r}: must be a finite number, seconds since 1970")
        names = (self.tenant, identity(subject, "subject"), identity(relation, "relation"))
        when = clock.time() if at is None else at
        where = (
            f"tenant = ? AND subject_id = ? AND relation_id = ? AND {BELIEVED} "
            "AND (valid_from IS NULL OR valid_from <= ?) AND (valid_to IS NULL OR valid_to > ?)"
        )
        if at is None:  # clocks of two processes may differ by a little
            where = where.replace(BELIEVED, LIVE)
            return self.ledger.rows(where, (*names, when, when), "slot")
        return self.ledger.rows(where, (*names, when, when, when, when), "slot")

    def added_by(self, operation: int) -> list[Fact]:
        """The facts that an operation added, also those that hold no more."""
        return self.ledger.rows("tenant = ? AND added_by = ?", (self.tenant, operation))

    def history(self, subject: str, relation: str) -> list[Fact]:
        """All that was ever believed about a subject and relation, oldest first."""
        names = (self.tenant, identity(subject, "subject"), identity(relation, "relation"))
        return self.ledger.rows("tenant = ? AND subject_id = ? AND relation_id = ?", names)

    def facts(
        self, subject: str | None = None, limit: int | None = None, offset: int = 0
    ) -> list[Fact]:
        """Live facts in the order they were added, of one subject or all.

        Args:
            limit: how many at most; None = all.
            offset: how many to leave out first.

        Raises:
            ValueError: a limit or an offset that is no whole number, or below 0.
        """
        for name, given in (("limit", limit), ("offset", offset)):
            if not (given is None or (type(given) is int and given >= 0)):
                raise ValueError(f"{name} = {given}: must be {WHOLE}")
        where, values = f"tenant = ? AND relation_id != ? AND {LIVE}", [self.tenant, SAID]
        if subject is not None:
            where, values = f"{where} AND subject_id = ?", [*values, identity(subject, "subject")]
        most = MOST if limit is None else min(limit, MOST)
        order = f"facts.id LIMIT {most} OFFSET {min(offset, MOST)}"
        return self.ledger.rows(where, tuple(values), order)

    def remarks(self, subject: str | None = None) -> list[Fact]:
        """Live sentences that were kept in their own words, the oldest first, of one subject or
        all: each a fact whose relation is ``as was said``."""
        where, values = f"tenant = ? AND relation_id = ? AND {LIVE}", [self.tenant, SAID]
        if subject is not None:
            where, values = f"{where} AND subject_id = ?", [*values, identity(subject, "subject")]
        return self.ledger.rows(where, tuple(values))

    def retract(self, number: int) -> int:
        """Stop believing a fact, and the kept sentence that it was read from; the operation's
        number. Both stay in the history.

        Raises:
            KeyError: there is no such live fact.
        """
        fact = self.fact(number)
        if not fact.live:
            raise KeyError(f"fact {number}: is retired already")
        where = f"tenant = ? AND relation_id = ? AND sources.text = ? AND facts.id != ? AND {LIVE}"
        with self.ledger.operation(self.tenant, "retract") as operation:
            row = operation.db.execute(
                f"SELECT 1 FROM facts WHERE id = ? AND {LIVE}", (number,)
            ).fetchone()
            if row is None:
                raise KeyError(f"fact {number}: is retired already")
            same = self.ledger.rows(where, (self.tenant, SAID, fact.source.text, number))
            for each in (number, *(r.id for r in same if r.source == fact.source)):
                operation.retire(each)
        return operation.id

    undo = corrections.undo
    undoable = corrections.undoable
    last_operation = corrections.last_operation
    waiting = corrections.waiting
    pending = corrections.pending
    accept = corrections.accept
    reject = corrections.reject
    erase = corrections.erase

    def recall(self, subject: str, relation: str) -> list[Recall]:
        """The tape's answers: each with a probability; an empty list where it knows none. Several
        at once are cheaper by :meth:`prism.mind.view.TapeView.recall`."""
        return self.view.recall([(subject, relation)])[0]
