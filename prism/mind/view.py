"""Tape of one tenant: a view of the live facts that follows the ledger.

    key    "<relation> of <subject>" in their identities; with several objects " #1", " #2", ...
    value  the object as it was written

A view holds the sequence number up to which it has read ``changes``. It catches up before every
read; a change that rows were erased, or a sequence that it cannot follow, makes it anew from the
live rows. A snapshot beside the database saves the work at the next start; it is never the truth.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from prism import whole_file
from prism.holo import HoloTape
from prism.holo.recall import Recall
from prism.mind.ledger import Ledger
from prism.mind.records import identity

SMALLEST = 1024  # facts that a new tape has room for
SLOTS = 16  # objects of a many-valued relation that are asked at once
LIVE = (
    "SELECT relation_id, subject_id, slot, object FROM facts "
    "WHERE tenant = ? AND retired_at IS NULL ORDER BY id"
)


def address(relation_id: str, subject_id: str, slot: int = 0) -> str:
    """The tape's key of a fact."""
    return f"{relation_id} of {subject_id}" + (f" #{slot}" if slot else "")


class TapeView:
    """The tape of a tenant, always as new as the ledger when it is read.

    Args:
        ledger: where the facts are.
        tenant: whose.
    """

    def __init__(self, ledger: Ledger, tenant: str) -> None:
        self.ledger, self.tenant = ledger, tenant
        name = hashlib.sha256(tenant.encode()).hexdigest()[:16]  # tenants may be named anything
        self.folder = ledger.path.with_name(f"{ledger.path.name}.tapes")
        self.snapshot = self.folder / f"{name}.safetensors"
        self._lock = threading.RLock()
        self._tape: HoloTape | None = None
        self._seq = 0
        self._saved = -1

    @property
    def tape(self) -> HoloTape:
        """The tape, caught up."""
        with self._lock:
            if self._tape is None:
                self._open()
            self._catch_up()
            assert self._tape is not None
            return self._tape

    def recall(self, pairs: Iterable[tuple[str, str]], fallback: bool = True) -> list[list[Recall]]:
        """The objects of (subject, relation) pairs, all read in one product; an empty list where
        the tape knows none.

        Args:
            fallback: see :meth:`prism.holo.HoloTape.recall_many`.
        """
        tape = self.tape
        names = [(identity(r, "relation"), identity(s, "subject")) for s, r in pairs]
        wanted: list[str] = []
        asked: list[range] = []
        for one, numbered in zip(names, self._numbered(tape, names), strict=True):
            first = len(wanted)
            wanted += [address(*one), *numbered]
            asked.append(range(first, len(wanted)))
        if not wanted:
            return []
        read = tape.recall_many(wanted, resolve=False, fallback=fallback)
        return [[read[i] for i in which if read[i].value is not None] for which in asked]

    def _numbered(self, tape: HoloTape, names: Sequence[tuple[str, str]]) -> list[list[str]]:
        """Keys of the objects of many-valued relations that the tape lists, of each pair; slots may
        have gaps. A block of slots of all pairs is looked up at once."""
        found: list[list[str]] = [[] for _ in names]
        open_ = list(range(len(names)))
        for block in itertools.count(1, SLOTS):
            if not open_:
                break
            slots = range(block, block + SLOTS)
            keys = [address(*names[i], slot) for i in open_ for slot in slots]
            listed = (tape.ledger.find(tape.hash(keys)) >= 0).reshape(len(open_), SLOTS)
            for n, i in enumerate(open_):
                block_keys = keys[n * SLOTS : (n + 1) * SLOTS]
                found[i] += itertools.compress(block_keys, listed[n])
            open_ = [i for i, there in zip(open_, listed.any(1), strict=True) if there]
        return found

    def rebuild(self) -> None:
        """Make the tape anew from the live rows."""
        with self._lock:
            # The number first: a row that is written between the two reads is bound again later,
            # which changes nothing.
            seq = self.ledger.last_change(self.tenant)
            self._tape, self._seq = self._built(), seq

    def _built(self, like: HoloTape | None = None) -> HoloTape:
        """A tape of the live rows, of the shape of another or with room for as many again."""
        rows = self.ledger.query(LIVE, (self.tenant,))
        if like is None:
            tape = HoloTape.plan(max(SMALLEST, 2 * len(rows)))
        else:
            tape = HoloTape(**vars(like.config))
        keys = [address(row[0], row[1], row[2]) for row in rows]
        tape.bind_many(keys, [row[3] for row in rows], time=0.0)
        return tape

    def _catch_up(self) -> None:
        changes = self.ledger.query(
            "SELECT seq, op, relation_id, subject_id, slot, object FROM changes "
            "LEFT JOIN facts ON facts.id = changes.fact "
            "WHERE changes.tenant = ? AND seq > ? ORDER BY seq",
            (self.tenant, self._seq),
        )
        if not changes:
            return
        if any(row["op"] == "rebuild" or row["object"] is None for row in changes):
            self.rebuild()
            return
        final = {address(row[2], row[3], row[4]): (row["op"], row["object"]) for row in changes}
        tape = self._tape
        assert tape is not None
        gone = [key for key, (op, _) in final.items() if op == "retire" and key in tape]
        tape.forget_many(gone)
        new = {key: value for key, (op, value) in final.items() if op == "add"}
        tape.bind_many(list(new), list(new.values()), time=0.0, on_conflict="replace")
        self._seq = changes[-1]["seq"]

    def _open(self) -> None:
        """Read the snapshot, or build the tape where there is none that can be used."""
        self._tape, self._seq = None, 0
        stamp = self.snapshot.with_suffix(".json")
        try:
            known = json.loads(stamp.read_text("utf-8"))
            tape = HoloTape.load(self.snapshot)
        except (OSError, ValueError):
            self.rebuild()
            return
        if known.get("sha256") != _digest(self.snapshot) or not self._follows(known.get("seq")):
            self.rebuild()
            return
        self._tape, self._seq = tape, known["seq"]

    def _follows(self, seq: object) -> bool:
        """True if the ledger continues from ``seq``."""
        return isinstance(seq, int) and 0 <= seq <= self.ledger.last_change(self.tenant)

    def save(self) -> None:
        """Write the snapshot, if the tape was read and has changed since the last one."""
        with self._lock:
            if self._tape is None or self._saved == self._seq:
                return
            self.folder.mkdir(exist_ok=True)
            self._tape.erase_history()
            self._tape.save(self.snapshot)
            stamp = {"seq": self._seq, "sha256": _digest(self.snapshot)}
            whole_file.write(self.snapshot.with_suffix(".json"), json.dumps(stamp))
            self._saved = self._seq

    def drop(self) -> None:
        """Forget the tape and its snapshot, in memory and on the disk."""
        with self._lock:
            self._tape, self._seq, self._saved = None, 0, -1
            for path in (self.snapshot, self.snapshot.with_suffix(".json")):
                path.unlink(missing_ok=True)

    def agrees(self) -> bool:
        """True if the tape's sums equal, byte for byte, those of a tape built from the live rows
        alone."""
        with self._lock:
            tape = self.tape
            again = self._built(like=tape)
            return bool((tape.accumulator.numbers == again.accumulator.numbers).all())


def _digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
