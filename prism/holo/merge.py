"""Merging two tapes: one accumulator that is as if all facts had been bound to it at once.

The accumulators are sums, so disjoint tapes merge by adding. The ledgers say what is not disjoint:
a fact that both know is counted once, and a key with two values is a conflict that an explicit rule
decides. Without ledgers the accumulators are simply added, and what both know counts twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from prism.holo.items import Items

if TYPE_CHECKING:
    from prism.holo.tape import HoloTape

RULES = ("error", "ours", "theirs", "newest")


@dataclass(frozen=True)
class Conflict:
    """A key with two values. ``key`` is its text where a resolver knows it, else its hash."""

    key: Any
    ours: Any
    theirs: Any
    kept: str


@dataclass(frozen=True)
class MergeReport:
    """What a merge did: facts added, facts that both knew, and conflicts."""

    added: int
    duplicates: int
    conflicts: list[Conflict] = field(default_factory=list)


def merge(tape: HoloTape, other: HoloTape, on_conflict: str = "error") -> MergeReport:
    """Add all of ``other`` to ``tape``; ``other`` stays as it is.

    Args:
        on_conflict: a key with two values is an ``"error"``, or ``"ours"``, ``"theirs"`` or the
            ``"newest"`` (ours if equally old) stays.

    Raises:
        ValueError: unlike tapes, or a conflict under ``"error"``; nothing is changed.
        OverflowError: the accumulator is too narrow; nothing is changed.
    """
    if on_conflict not in RULES:
        raise ValueError(f"on_conflict = {on_conflict!r}: must be one of {', '.join(RULES)}")
    if tape.fingerprint != other.fingerprint:
        raise ValueError(
            f"merge: the tapes are encoded differently ({tape.fingerprint} and "
            f"{other.fingerprint}): they need equal dim, banks, seed, layers and values"
        )
    if (tape.ledger is None) != (other.ledger is None):
        raise ValueError("merge: one tape has a ledger and the other has none")
    if tape.ledger is None:
        tape.accumulator.superpose(other.accumulator)
        tape.vocabulary.extend(other.vocabulary.items or [])
        tape._unlisted += other._unlisted
        tape.revision += 1
        return MergeReport(added=other.count, duplicates=0)
    return _merge_listed(tape, other, on_conflict)


def _merge_listed(tape: HoloTape, other: HoloTape, on_conflict: str) -> MergeReport:
    theirs = other.ledger
    if other._unlisted:
        raise ValueError(f"merge: {other._unlisted} vectors of the other tape are in no ledger")
    live = theirs.live_rows()
    roots = live[theirs.column("position")[live] == 0]
    rows, fact = theirs.chain(roots)
    size = len(tape.vocabulary.codes)
    items = Items(
        theirs.column("key")[rows],
        translate(other, tape, theirs.column("value")[rows]),
        theirs.column("position")[rows].astype(np.int64),
        fact,
    )
    hashes = theirs.column("key")[roots]
    ours = tape.ledger.find(hashes)
    same = tape._same(items, ours)
    clash = np.flatnonzero((ours >= 0) & ~same)
    try:
        conflicts = [_judge(tape, other, ours[i], roots[i], on_conflict) for i in clash]
        new = ours < 0
        new[clash] = [c.kept == "theirs" for c in conflicts]
        names = theirs.column("source")[roots]
        source = tape._source_ids([theirs.sources[i] for i in names], len(roots))
        times = theirs.column("time")[roots]
        tape._write(items.of(new), ours[new & (ours >= 0)], source, times[fact[new[fact]]])
    except Exception:
        tape.vocabulary.shrink(size)
        raise
    if tape.resolver is not None and other.resolver is not None:
        tape.resolver.add([other.resolver.text(h) for h in hashes], hashes)
    added = int((new & (ours < 0)).sum())
    return MergeReport(added, int(same.sum()), conflicts)


def _judge(tape: HoloTape, other: HoloTape, mine: int, yours: int, on_conflict: str) -> Conflict:
    a, b = tape._fact(mine), other._fact(yours)
    if on_conflict == "error":
        raise ValueError(
            f"merge: key {b.key!r} is {a.value!r} here and {b.value!r} there; choose on_conflict "
            "= 'ours', 'theirs' or 'newest'"
        )
    kept = on_conflict
    if on_conflict == "newest":
        kept = "theirs" if b.time > a.time else "ours"
    return Conflict(b.key, a.value, b.value, kept)


def translate(source: HoloTape, target: HoloTape, ids: np.ndarray) -> np.ndarray:
    """The ids [n] that values of one tape have in another with the same kind of vocabulary."""
    if not source.vocabulary.open:
        return ids.astype(np.int64)
    end = source.vocabulary.end
    kinds, place = np.unique(ids, return_inverse=True)
    items = [source.vocabulary.value(int(i)) for i in kinds if i != end]
    moved = np.full(len(kinds), end if end is not None else 0, np.int64)
    moved[kinds != (-1 if end is None else end)] = target.vocabulary.ids(items, grow=True)
    return moved[place]
