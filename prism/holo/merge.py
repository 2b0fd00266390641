"""Merging two tapes, and erasing what a ledger remembers of facts that are gone.

A merged accumulator is as if all facts had been bound to it at once. Accumulators are sums, so
disjoint tapes merge by superposition. The ledgers say what is not disjoint: a fact of both is
counted once, and a key with two values is a conflict that an explicit rule decides; they also make
tapes of different sizes one, as tapes that have grown are. Without ledgers the accumulators are
simply added, and a fact of both counts twice.

Forgetting empties the accumulator at once; the ledger keeps what was bound, its source and time,
for an audit. :func:`erase_history` drops that too, where nobody may know it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from prism.holo.algebra.codes import position_hashes
from prism.holo.growth import make_room
from prism.holo.parts import Growth, TapeParts
from prism.holo.vocabulary import Bindings, Vocabulary

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
    """Outcome of a merge: facts added, facts of both tapes, conflicts, and the growth that the sum
    needed."""

    added: int
    duplicates: int
    conflicts: list[Conflict] = field(default_factory=list)
    growth: Growth | None = None


def merge(tape: TapeParts, other: TapeParts, on_conflict: str = "error") -> MergeReport:
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
    if (tape.ledger is None) != (other.ledger is None):
        raise ValueError("merge: one tape has a ledger and the other has none")
    if tape.ledger is None and tape.fingerprint != other.fingerprint:
        raise ValueError(
            f"merge: the tapes are encoded differently ({tape.fingerprint} and "
            f"{other.fingerprint}): they need equal dim, banks, seed, layers and values"
        )
    if tape.vocabulary.meaning != other.vocabulary.meaning:
        raise ValueError(
            f"merge: the tapes have different values ({tape.vocabulary.meaning} and "
            f"{other.vocabulary.meaning}): they need equal seed and values"
        )
    if tape.ledger is None:
        tape.accumulator.superpose(other.accumulator)
        tape.vocabulary.extend(other.vocabulary.items or [])
        tape.unlisted += other.unlisted
        tape.changed(np.arange(tape.accumulator.banks))
        return MergeReport(added=other.unlisted, duplicates=0)
    return _merge_listed(tape, other, on_conflict)


def _merge_listed(tape: TapeParts, other: TapeParts, on_conflict: str) -> MergeReport:
    theirs = other.ledger
    if other.unlisted:
        raise ValueError(f"merge: {other.unlisted} vectors of the other tape are in no ledger")
    live = theirs.live_rows()
    roots = live[theirs.column("position")[live] == 0]
    rows, fact = theirs.chain(roots)
    size = len(tape.vocabulary)
    hashes, texts = theirs.column("key")[roots], _texts(other, roots)
    hashes = _listed_here(tape, other, hashes, texts)
    position = theirs.column("position")[rows].astype(np.int64)
    bindings = Bindings(
        position_hashes(hashes[fact], position),
        _translated(other.vocabulary, tape.vocabulary, theirs.column("value")[rows]),
        position,
        fact,
    )
    ours = tape.ledger.find(hashes)
    same = tape.same(bindings, ours)
    clash = np.flatnonzero((ours >= 0) & ~same)
    try:
        conflicts = [_conflict(tape, other, ours[i], roots[i], on_conflict) for i in clash]
        new = ours < 0
        new[clash] = [c.kept == "theirs" for c in conflicts]
        names = theirs.column("source")[roots]
        source = tape.source_ids([theirs.sources[i] for i in names], len(roots))
        times = theirs.column("time")[roots]
        taken = bindings.of(new)
        gone = ours[new & (ours >= 0)]
        items = tape.bindings + len(taken.ids) - len(tape.ledger.chain(gone)[0])
        growth = make_room(tape, items, tape.facts + int(new.sum()) - len(gone))
        tape.write(taken, gone, source, times[fact[new[fact]]])
    except Exception:
        tape.vocabulary.shrink(size)
        raise
    if tape.resolver is not None and other.resolver is not None:
        tape.resolver.add(texts, hashes)
    tape.door.texts |= other.door.texts
    tape.door.older = other.door.older | tape.door.older
    added = int((new & (ours < 0)).sum())
    return MergeReport(added, int(same.sum()), conflicts, growth)


def _listed_here(
    tape: TapeParts, other: TapeParts, codes: np.ndarray, texts: list[str | None]
) -> np.ndarray:
    """The hashes under which this tape lists, or would list, the keys of the other."""
    live = tape.ledger.live_rows()
    own = tape.ledger.column("key")[live[tape.ledger.column("position")[live] == 0]]
    if tape.resolver is not None:
        own = own[tape.resolver.known.absent(own)]
    return tape.door.of_another(other.door, codes, texts, tape.ledger.find, own)


def _texts(tape: TapeParts, roots: np.ndarray) -> list[str | None]:
    """The texts of the keys at root rows; None where one is not kept."""
    if tape.resolver is None:
        return [None] * len(roots)
    return [tape.resolver.text(code) for code in tape.ledger.column("key")[roots]]


def _conflict(
    tape: TapeParts, other: TapeParts, mine: int, yours: int, on_conflict: str
) -> Conflict:
    """The conflict of two root rows, decided by the rule."""
    a, b = tape.fact(mine), other.fact(yours)
    if on_conflict == "error":
        raise ValueError(
            f"merge: key {b.key!r} is {a.value!r} here and {b.value!r} there; choose on_conflict "
            "= 'ours', 'theirs' or 'newest'"
        )
    kept = on_conflict
    if on_conflict == "newest":
        kept = "theirs" if b.time > a.time else "ours"
    return Conflict(b.key, a.value, b.value, kept)


def _translated(source: Vocabulary, target: Vocabulary, ids: np.ndarray) -> np.ndarray:
    """The ids [n] that values of one vocabulary have in another of the same kind."""
    if not source.open:
        return ids.astype(np.int64)
    end = source.end
    kinds, place = np.unique(ids, return_inverse=True)
    items = [source.value(int(i)) for i in kinds if i != end]
    moved = np.full(len(kinds), end if end is not None else 0, np.int64)
    moved[kinds != (-1 if end is None else end)] = target.ids(items, grow=True)
    return moved[place]


def erase_history(tape: TapeParts) -> int:
    """Leave the ledger as if facts that are gone had never been bound; the accumulator and all
    answers stay as they are.

    Dropped are the rows of facts that were forgotten or replaced, the values that no fact has any
    more, and the sources that no fact names. Facts bound without the ledger may have any value, so
    with them all values stay.

    Returns:
        The number of rows that were dropped.

    Raises:
        ValueError: the tape has no ledger.
    """
    ledger, vocabulary = tape.listed("erase_history"), tape.vocabulary
    before = len(ledger)
    ledger.keep_live()
    if vocabulary.open and tape.unlisted == 0:
        used = np.zeros(len(vocabulary), bool)
        used[ledger.column("value")] = True
        if vocabulary.end is not None:
            used[vocabulary.end] = True
        ledger.renumber("value", np.cumsum(used) - 1)  # the new number of each that is kept
        vocabulary.keep(used)
    tape.joint.invalidate(np.arange(tape.config.banks))  # what it has decoded has old numbers
    return before - len(ledger)
