"""New units of the symbolic machine that the old ones cannot tell from none.

Two primitives look at other units. ``shift`` gives a unit the a lanes of the unit before it, and
the first one those of the last. ``count`` gives every unit the share of units with a > 0, per lane.
So where the library has them, new units take over a lanes of old ones:

    shift   the last new unit has both a lanes of the last old one
    count   per lane, the new units' a lanes are m times a permutation of the old units': the share
            of m + 1 equal parts is the share of one

For ``count`` the two lanes are permuted differently (a1 of one unit with a2 of another), so a new
unit turns by angles that no old one has; its b lanes, its choice and its writer are its own anyway.
"""

from __future__ import annotations

from dataclasses import dataclass

from prism.config import SymbolicConfig


@dataclass(frozen=True)
class LaneCopies:
    """Rows ``source`` of the old lane matrix ``[4 U, D]`` that are also rows ``target`` of the new
    one ``[4 U', D']``, on the old columns."""

    target: tuple[int, ...]
    source: tuple[int, ...]
    note: str


def lane_copies(old: SymbolicConfig, units: int) -> LaneCopies | None:
    """What the new ones among ``units`` units must share with the old; None if nothing."""
    before = old.units
    if units == before:
        return None
    if "count" in old.primitives:
        firsts = [(unit, unit % before) for unit in range(before, units)]
        seconds = [(unit, _turned(unit, before)) for unit in range(before, units)]
        note = "a lanes are permuted copies"
    elif "shift" in old.primitives:
        firsts = seconds = [(units - 1, before - 1)]
        note = "a lanes of the last unit are a copy"
    else:
        return None
    target = [new for new, _ in firsts] + [units + new for new, _ in seconds]
    source = [unit for _, unit in firsts] + [before + unit for _, unit in seconds]
    return LaneCopies(tuple(target), tuple(source), note)


def _turned(unit: int, before: int) -> int:
    """Old unit whose second lane new ``unit`` takes: in the m-th group of copies all but the last
    unit move m places round."""
    group, place = divmod(unit, before)
    return place if place == before - 1 else (place + group) % (before - 1)
