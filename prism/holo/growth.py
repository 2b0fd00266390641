"""Growth of a tape: rebuilt larger from its ledger, before a write would leave it too full.

Integer sums are exact and the ledger lists every pair that is in them, so the larger accumulator is
number by number the one that a tape made so large at once would have. It gets room for twice what
is written, so that N facts cost at most some 2 N writes in all.
"""

from __future__ import annotations

import dataclasses

from prism.holo.algebra.accumulator import Accumulator
from prism.holo.algebra.codes import amplitude_of
from prism.holo.capacity.planning import plan
from prism.holo.capacity.room import item_accuracy
from prism.holo.parts import Growth, HoloConfig, TapeParts

SPARE = 2  # times the items and values that a larger tape has room for


def make_room(tape: TapeParts, items: int, facts: int) -> Growth | None:
    """Enlarge a tape if ``items`` bindings of ``facts`` facts would be too many for it; the growth,
    or None where there is room.

    Raises:
        ValueError: it is too full and may not or cannot grow; nothing is changed.
    """
    c, candidates = tape.config, len(tape.vocabulary)
    wanted = item_accuracy(c.accuracy, items, facts)
    if c.overfill or items <= tape.bindings or tape.room.fits(items, candidates, wanted):
        return None
    why = _why_not(tape)
    if why is not None:
        right, size = tape.room.accuracy(items, candidates), _size(c)
        raise ValueError(
            f"tape of {size} is too full: {items:,} items among {candidates:,} values would be "
            f"read right at {right:.1%}, planned were {wanted:.1%}; nothing was bound, and it "
            f"cannot grow: {why}"
        )
    return reshape(tape, larger(tape, items, wanted), items)


def let_grow(tape: TapeParts, allowed: bool) -> Growth | None:
    """Let a tape grow from now on, or not; one that is too full for what it holds grows at once.

    Raises:
        ValueError: it is too full and cannot grow.
    """
    if allowed and tape.ledger is None:
        raise ValueError("grow: this tape has no ledger to be rebuilt from, so it cannot grow")
    tape.put(dataclasses.replace(tape.config, grow=allowed), tape.accumulator)
    c, items = tape.config, tape.bindings
    wanted = item_accuracy(c.accuracy, items, tape.facts)
    if not allowed or tape.room.fits(items, len(tape.vocabulary), wanted):
        return None
    why = _why_not(tape)
    if why is not None:
        raise ValueError(f"tape of {_size(c)} cannot grow: {why}")
    return reshape(tape, larger(tape, items, wanted), items)


def _why_not(tape: TapeParts) -> str | None:
    """The reason that a tape cannot grow, and what can be done; None if it can."""
    if not tape.config.grow:
        return "it was told not to grow (grow(True), or ask --grow, lets it)"
    if tape.ledger is None:
        return "it has no ledger to be rebuilt from (plan a larger one, or overfill=True)"
    if tape.unlisted or tape.accumulator.numbers.requires_grad:
        return "it holds vectors, which no ledger lists (make one of more numbers)"
    return None


def larger(tape: TapeParts, items: int, accuracy: float) -> HoloConfig:
    """The config of a tape like ``tape`` with room for ``SPARE`` times the items."""
    c, vocabulary = tape.config, tape.vocabulary
    candidates = max(2, len(vocabulary) * (SPARE if vocabulary.open else 1))
    decoder = "filter" if c.decoder == "filter" else "amp"
    dim = c.dim if vocabulary.given else None
    p = plan(SPARE * items, candidates, accuracy, c.alpha, decoder, c.layers, dim)
    return dataclasses.replace(c, dim=p.dim, banks=p.banks, dtype=p.dtype)


def wider(tape: TapeParts) -> HoloConfig | None:
    """The config with twice the banks, for sums that have left their type; None where a tape may
    not grow."""
    c = tape.config
    if c.overfill or _why_not(tape) is not None:
        return None
    kind = {"int8": "int16", "int16": "int32"}.get(c.dtype, "int32")
    return dataclasses.replace(c, banks=2 * c.banks, dtype=kind)


def reshape(tape: TapeParts, config: HoloConfig, items: int) -> Growth:
    """Give a tape another accumulator, rebuilt from its ledger, with room for ``items``; facts, ids
    and history stay."""
    growth = Growth(_size(tape.config), _size(config), items)
    ledger = tape.listed("growing")
    rows = ledger.live_rows()
    keys, ids = ledger.column("key")[rows], ledger.column("value")[rows]
    device = tape.accumulator.numbers.device
    vocabulary = tape.vocabulary
    before = vocabulary.codes
    vocabulary.recode(config.dim)
    try:
        accumulator = Accumulator(config.banks, config.dim, config.dtype, device)
        accumulator.bind(keys, ids, vocabulary.codes, amplitude_of(keys, config.layers))
    except BaseException:
        vocabulary.codes = before
        raise
    tape.put(config, accumulator)
    tape.growths.append(growth)
    return growth


def _size(config: HoloConfig) -> str:
    return f"{config.banks:,} x {config.dim} {config.dtype}"
