"""Facts as a graph: whole frontiers of nodes, walked forwards by subject and backwards by object.

The ledger says which facts there are and where they come from; a memory (the tenant's tape) says
what they are. All facts of a frontier are read at once, and a value that the ledger does not list
is dropped. Steps backwards go through the ledger's index of objects and are read forwards again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Protocol

from prism.holo.recall import Recall
from prism.mind.ledger import COLUMNS, Ledger, fact_of
from prism.mind.records import SAID, Fact, identity
from prism.mind.view import TapeView

WIDEST = 8  # subjects that one step backwards may lead to
ROWS = 4_000  # facts of a frontier that are looked at
FORWARD = f"""SELECT {COLUMNS}, subject_id, relation_id, object_id FROM facts
    JOIN sources ON sources.id = facts.source
    WHERE tenant = ? AND subject_id IN (SELECT value FROM json_each(?)) AND """
BACKWARD = f"""SELECT {COLUMNS}, subject_id, relation_id, object_id FROM facts
    JOIN sources ON sources.id = facts.source
    WHERE tenant = ? AND object_id IN (SELECT value FROM json_each(?))
    AND relation_id IN (SELECT value FROM json_each(?)) AND """
NAMED = """SELECT value FROM json_each(?) WHERE EXISTS (SELECT 1 FROM facts
    WHERE tenant = ? AND {where} AND {when})"""
OWNER = "subject_id > value || '/' AND subject_id < value || '0'"  # "0" follows "/"
CHILDREN = """SELECT DISTINCT subject_id FROM facts
    WHERE tenant = ? AND subject_id > ? AND subject_id < ? AND """
WITHIN = "/"  # between a thing and what is its, in the name of a thing without a name
NORMAL = NormalDist()


@dataclass(frozen=True)
class Read:
    """A calibrated read of a memory: the value, its probability, and its distance from noise in
    standard deviations (None where no register was read)."""

    value: str
    probability: float
    z: float | None = None


class Memory(Protocol):
    """Source from which the objects of facts are read."""

    def read(self, pairs: Sequence[tuple[str, str]]) -> list[list[Read]]:
        """The objects of (subject, relation) pairs, all at once."""


@dataclass
class TapeMemory:
    """The tenant's tape.

    Attributes:
        fallback: answer from the tape's own list where the register cannot be read safely.
    """

    view: TapeView
    fallback: bool = True

    def read(self, pairs: Sequence[tuple[str, str]]) -> list[list[Read]]:
        """As :meth:`Memory.read`."""
        size = len(self.view.tape.vocabulary.codes)
        found = self.view.recall(pairs, self.fallback)
        return [[_read(r, size) for r in some] for some in found]


@dataclass
class DictMemory:
    """A plain dict in place of the tape, for comparison."""

    facts: dict[tuple[str, str], list[str]]

    def read(self, pairs: Sequence[tuple[str, str]]) -> list[list[Read]]:
        """As :meth:`Memory.read`."""
        names = [(identity(s), identity(r)) for s, r in pairs]
        return [[Read(value, 1.0) for value in self.facts.get(pair, ())] for pair in names]


def _read(recall: Recall, size: int) -> Read:
    alone = min(max(recall.p_value / max(size, 1), 1e-300), 0.5)
    z = None if recall.method == "ledger" else -NORMAL.inv_cdf(alone)
    return Read(str(recall.value), recall.posterior, z)


@dataclass(frozen=True)
class Edge:
    """A fact as a step of a path, or a step to a thing without a name (``me/sister``).

    Attributes:
        start, end: identities of the nodes it leads from and to.
        relation: identity of its relation.
        back: walked from the object to the subject.
        fact: None for a step to a thing without a name.
        read: what the memory gave; None until :meth:`Graph.checked`, or where a fact of the past
            was read in the ledger.
    """

    start: str
    relation: str
    end: str
    back: bool
    fact: Fact | None
    read: Read | None = None

    @property
    def shown(self) -> str:
        """The node it leads to as it was written."""
        if self.fact is None:
            return self.end
        return self.fact.subject if self.back else self.fact.object


class Graph:
    """One tenant's facts as they are now, or as they were believed at a time.

    Args:
        ledger: where they are.
        tenant: whose.
        memory: what gives the objects.
        at: seconds since 1970; None = now. The past is read in the ledger: a memory holds the
            present alone.
        now: the time against which intervals of validity are held.
        nameless: there are things without a name (``me/sister``).
    """

    def __init__(
        self,
        ledger: Ledger,
        tenant: str,
        memory: Memory,
        at: float | None,
        now: float,
        nameless: bool = True,
    ) -> None:
        self.nameless = nameless
        self.ledger, self.tenant, self.memory, self.at = ledger, tenant, memory, at
        valid = "(valid_from IS NULL OR valid_from <= ?) AND (valid_to IS NULL OR valid_to > ?)"
        if at is None:
            self.when, self.times = f"retired_at IS NULL AND {valid}", (now, now)
        else:
            believed = "recorded_at <= ? AND (retired_at IS NULL OR retired_at > ?)"
            self.when, self.times = f"{believed} AND {valid}", (at, at, at, at)
        self.told = self.when  # facts and sentences
        self.when += f" AND relation_id != '{SAID}'"  # sentences are no edges
        self._ahead: dict[str, list[Edge]] = {}

    def named(self, names: Iterable[str], column: str) -> set[str]:
        """Those identities that are a ``subject_id``, or begin one, or an ``object_id``."""
        asked, when = json.dumps(list(names)), (self.tenant, *self.times)
        sql = NAMED.format(where=f"{column} = value", when=self.when)
        found = {row[0] for row in self.ledger.query(sql, (asked, *when))}
        if column == "subject_id" and self.nameless:
            sql = NAMED.format(where=OWNER, when=self.when)
            found |= {row[0] for row in self.ledger.query(sql, (asked, *when))}
        return found

    def called(self, start: str) -> list[str]:
        """Names of several words, as they are written, that begin with the words ``start``: of what
        facts and sentences are about, and of what facts lead to."""
        first, last = f"{identity(start)} ", f"{identity(start)}!"  # "!" follows the space
        found: dict[str, str] = {}
        for column, when in (("subject", self.told), ("object", self.when)):
            rows = self.ledger.query(
                f"SELECT DISTINCT {column} FROM facts WHERE tenant = ? AND {column}_id > ? AND "
                f"{column}_id < ? AND {when} LIMIT {ROWS}",
                (self.tenant, first, last, *self.times),
            )
            for row in rows:
                name = row[0].split(WITHIN)[0]
                if all(word[:1].isupper() for word in name.split()):
                    found.setdefault(identity(name), name)
        return list(found.values())

    def subjects(self) -> list[str]:
        """Identities of the things that facts are about, :data:`ROWS` at most."""
        sql = f"SELECT DISTINCT subject_id FROM facts WHERE tenant = ? AND {self.when} LIMIT {ROWS}"
        return [row[0] for row in self.ledger.query(sql, (self.tenant, *self.times))]

    def ahead(self, nodes: Iterable[str]) -> list[Edge]:
        """All facts about some nodes."""
        nodes = list(dict.fromkeys(nodes))
        missing = [node for node in nodes if node not in self._ahead]
        if missing:
            found: dict[str, list[Edge]] = {node: [] for node in missing}
            sql = f"{FORWARD} {self.when} ORDER BY slot LIMIT {ROWS}"
            values = (self.tenant, json.dumps(missing), *self.times)
            for row in self.ledger.query(sql, values):
                edge = Edge(
                    row["subject_id"], row["relation_id"], row["object_id"], False, fact_of(row)
                )
                found[edge.start].append(edge)
            for node in missing if self.nameless else ():
                found[node] += self._within(node)
            self._ahead |= found
        return [edge for node in nodes for edge in self._ahead[node]]

    def _within(self, node: str) -> list[Edge]:
        """Steps to the things that are only known as somebody's, ``node/relation``."""
        last = chr(ord(WITHIN) + 1)
        values = (self.tenant, f"{node}{WITHIN}", f"{node}{last}", *self.times)
        rows = self.ledger.query(CHILDREN + self.when, values)
        names = {row[0][len(node) + 1 :].split(WITHIN)[0] for row in rows}
        return [Edge(node, name, f"{node}{WITHIN}{name}", False, None) for name in sorted(names)]

    def behind(self, nodes: Iterable[str], relations: Iterable[str]) -> list[Edge]:
        """Facts of some relations whose objects are some nodes; a relation with more subjects than
        :data:`WIDEST` leads nowhere."""
        sql = f"{BACKWARD} {self.when} LIMIT {ROWS}"
        asked = json.dumps(list(dict.fromkeys(nodes))), json.dumps(list(relations))
        groups: dict[tuple[str, str], list[Edge]] = {}
        for row in self.ledger.query(sql, (self.tenant, *asked, *self.times)):
            edge = Edge(row["object_id"], row["relation_id"], row["subject_id"], True, fact_of(row))
            groups.setdefault((edge.start, edge.relation), []).append(edge)
        return [edge for group in groups.values() if len(group) <= WIDEST for edge in group]

    def checked(self, edges: Sequence[Edge]) -> list[Edge]:
        """Those edges that the memory confirms, with what it read, all in one read."""
        if self.at is not None:
            return list(edges)
        pairs = list(dict.fromkeys((e.fact.subject, e.relation) for e in edges if e.fact))
        reads = dict(zip(pairs, self.memory.read(pairs), strict=True)) if pairs else {}
        kept = []
        for edge in edges:
            if edge.fact is None:
                kept.append(edge)
                continue
            for read in reads[edge.fact.subject, edge.relation]:
                if read.value == edge.fact.object:
                    kept.append(replace(edge, read=read))
                    break
        return kept


def dict_of(
    ledger: Ledger, tenant: str, shuffle: Callable[[list[str]], list[str]] | None = None
) -> DictMemory:
    """A dict of a tenant's live facts; ``shuffle`` exchanges their objects, as a control."""
    rows = ledger.query(
        "SELECT subject_id, relation_id, object FROM facts WHERE tenant = ? AND retired_at IS NULL "
        "ORDER BY id",
        (tenant,),
    )
    objects = [row[2] for row in rows]
    objects = objects if shuffle is None else shuffle(objects)
    facts: dict[tuple[str, str], list[str]] = {}
    for row, value in zip(rows, objects, strict=True):
        facts.setdefault((row[0], row[1]), []).append(value)
    return DictMemory(facts)
