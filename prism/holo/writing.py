"""Writes of a tape from keys and values: binding, forgetting, and binding vectors.

Checks come first, then room is made, then all parts are written; a write that is refused leaves no
trace. (The sums themselves are :meth:`prism.holo.parts.TapeParts.write`.)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from torch import Tensor

from prism.holo.algebra.codes import signs
from prism.holo.growth import make_room, reshape, wider
from prism.holo.keys.normal import listed, normal_keys, normal_value
from prism.holo.parts import TapeParts
from prism.holo.times import checked
from prism.holo.vocabulary import Bindings, as_tuple, to_bindings

ON_CONFLICT = ("error", "keep", "replace")


def bind_many(
    tape: TapeParts,
    keys: Any,
    values: Any,
    source: str | Iterable[str | None] | None,
    time: float | None,
    on_conflict: str,
) -> int:
    """Bind facts; see :meth:`prism.holo.tape.HoloTape.bind_many`. The number of those written."""
    if on_conflict not in ON_CONFLICT:
        raise ValueError(f"on_conflict = {on_conflict!r}: must be one of {ON_CONFLICT}")
    keys, values = listed(keys), listed(values, "values")
    names, hashes = normal_keys(keys), tape.hash(keys)
    time = checked(time, f"key {names[0]!r}" if len(names) == 1 else f"{len(names)} keys")
    size = len(tape.vocabulary)
    try:
        bindings = to_bindings(tape.vocabulary, hashes, values, grow=True, keys=names)
        new, replaced = _changes(tape, names, values, hashes, bindings, on_conflict)
        sources = tape.source_ids(source, len(hashes))
        taken = bindings.of(new)
        gone = 0 if tape.ledger is None else len(tape.ledger.chain(replaced)[0])
        items = tape.bindings + len(taken.ids) - gone
        make_room(tape, items, tape.facts + int(new.sum()) - len(replaced))
        _write(tape, taken, replaced, sources, time, items)
    except Exception:
        tape.vocabulary.shrink(size)
        raise
    if tape.resolver is not None:
        tape.resolver.add(names, hashes)
    tape.door.note(names)
    return int(new.sum())


def _write(
    tape: TapeParts,
    bindings: Bindings,
    replaced: np.ndarray,
    sources: np.ndarray,
    time: float | None,
    items: int,
) -> None:
    """Write; where the numbers are too narrow for it and the tape may grow, with wider ones."""
    try:
        tape.write(bindings, replaced, sources, time)
    except OverflowError:
        config = wider(tape)
        if config is None:
            raise
        reshape(tape, config, items)
        tape.write(bindings, replaced, sources, time)


def _changes(
    tape: TapeParts,
    keys: Any,
    values: Any,
    hashes: np.ndarray,
    bindings: Bindings,
    on_conflict: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Facts bool [F] to be written, and the roots int64 of rows they replace."""
    if tape.ledger is None:
        return np.ones(len(hashes), bool), np.zeros(0, np.int64)
    _, first, again = np.unique(hashes, return_index=True, return_inverse=True)
    new = np.zeros(len(hashes), bool)
    new[first] = True
    for i in np.flatnonzero(~new):
        j = first[again[i]]
        ours, theirs = _items(values[j]), _items(values[i])
        if ours != theirs:
            also = "" if keys[i] == keys[j] else f" (and as {keys[j]!r})"
            raise ValueError(
                f"key {keys[i]!r}{also}: is given twice with different values, {values[j]!r} and "
                f"{values[i]!r}"
            )
    roots = tape.ledger.find(hashes)
    new &= ~tape.same(bindings, roots)
    conflict = np.flatnonzero(new & (roots >= 0))
    if len(conflict) and on_conflict == "error":
        i = conflict[0]
        held = tape.value(roots[i])
        raise ValueError(
            f"key {keys[i]!r}: is bound to {held!r}; update it to change that to {values[i]!r}"
        )
    if on_conflict == "keep":
        new[conflict] = False
    return new, roots[new & (roots >= 0)]


def _items(value: Any) -> tuple[Any, ...]:
    return tuple(normal_value(item) for item in as_tuple(value))


def forget_many(tape: TapeParts, keys: Any, values: Any = None) -> None:
    """Take facts out; see :meth:`prism.holo.tape.HoloTape.forget_many`."""
    keys = listed(keys)
    names, hashes = normal_keys(keys), tape.hash(keys)
    if tape.ledger is None:
        if values is None:
            raise ValueError("forget: a tape without a ledger needs the value as well")
        bindings = to_bindings(tape.vocabulary, hashes, values, grow=False, keys=names)
        if len(bindings.ids) and bindings.ids.min() < 0:
            raise KeyError(f"key {names[bindings.fact[bindings.ids.argmin()]]!r}: is not bound")
        tape.forget_unlisted(bindings, len(hashes))
        return
    if values is not None:
        raise ValueError("forget: a tape with a ledger knows the value; give the key alone")
    _, first = np.unique(hashes, return_index=True)
    if len(first) != len(hashes):
        twice = np.setdiff1d(np.arange(len(hashes)), first)[0]
        raise ValueError(f"forget: key {names[twice]!r} is given twice")
    rows = tape.ledger.find(hashes)
    if len(rows) and rows.min() < 0:
        raise KeyError(f"key {names[int(rows.argmin())]!r}: is not bound")
    tape.forget_rows(rows)


def bind_vectors(tape: TapeParts, key: Any, value: Any, sign: int) -> None:
    """Bind a pair of which at least one is a vector, the other a key or value by name; ``sign`` -1
    takes it out."""
    size, dim = len(tape.vocabulary), tape.config.dim
    if not isinstance(key, Tensor):
        key = tape.key_vectors([key])[0]
    try:
        if not isinstance(value, Tensor):
            words = tape.vocabulary.codes.words(tape.vocabulary.ids([value], grow=True))
            value = signs(words, dim)[0].to(key)
        tape.unlisted += sign * tape.accumulator.bind_vectors(key, value, sign)
    except ValueError:
        tape.vocabulary.shrink(size)
        raise
    tape.changed(np.zeros(1, np.int64))
