"""Erasing what a ledger remembers of facts that are gone.

Forgetting empties the accumulator at once; the ledger keeps what was bound, by whom and when,
because an audit wants to know. Where nobody may know, this drops the rows of facts that were
forgotten or replaced, the values that no fact has any more, and the sources that no fact names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from prism.holo.tape import HoloTape


def erase_history(tape: HoloTape) -> int:
    """Leave the ledger as if facts that are gone had never been bound; the accumulator and all
    answers stay as they are. Facts bound without the ledger may have any value, so with them all
    values stay.

    Returns:
        The number of rows that were dropped.

    Raises:
        ValueError: the tape has no ledger.
    """
    ledger = tape._listed("erase_history")
    before = len(ledger)
    ledger.keep_live()
    if tape.vocabulary.open and tape._unlisted == 0:
        used = np.zeros(len(tape.vocabulary), bool)
        used[ledger.column("value")] = True
        if tape.vocabulary.end is not None:
            used[tape.vocabulary.end] = True
        ledger.renumber("value", _places(used))
        tape.vocabulary.keep(used)
    if tape.joint is not None:  # what it has decoded has the old numbers
        tape.joint.invalidate(np.arange(tape.config.banks))
    return before - len(ledger)


def _places(used: np.ndarray) -> np.ndarray:
    """The new number int64 of each that is kept."""
    return np.cumsum(used) - 1
