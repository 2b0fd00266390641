"""Census of the vocabulary: what the batches that were really read held, and what ids can be.

    dead        in no document of a text, if one is given
    unseen      in no batch so far
    input only  read, never to be predicted;  target only  the reverse;  both  the rest
    special     stands for no text
    partial     bytes that are no whole UTF-8 text
    unreachable encoding its text gives other ids

A token that occurs in the text may be unseen for thousands of steps, because batches are samples;
hence both columns.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prism.data import Tokenizer
from prism.probe.readings.history import Sightings


def kinds(tokenizer: Tokenizer) -> list[str]:
    """Of each id: special, partial, unreachable or plain."""
    found = []
    for i in range(tokenizer.vocab_size):
        raw = tokenizer.piece(i)
        if int(tokenizer.byte_lengths[i]) == 0:
            found.append("special")
            continue
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            found.append("partial")
            continue
        found.append("plain" if tokenizer.encode(text) == [i] else "unreachable")
    return found


def seen_as(seen: Sightings) -> NDArray[np.str_]:
    """``[V]``: unseen, input only, target only or both."""
    read, asked = seen.inputs > 0, seen.targets > 0
    return np.select([read & asked, read, asked], ["both", "input only", "target only"], "unseen")


def census(
    seen: Sightings, tokenizer: Tokenizer | None = None, used: set[int] | None = None
) -> dict[str, Any]:
    """Counts of ids by how they were seen, by kind, and whether a text has them.

    Args:
        tokenizer: that the ids are of.
        used: the ids that a text has.
    """
    seen_now = seen_as(seen)
    report: dict[str, Any] = {"ids": len(seen_now), "seen": dict(Counter(seen_now.tolist()))}
    if tokenizer is not None:
        report["kinds"] = dict(Counter(kinds(tokenizer)))
    if used is not None:
        live = np.zeros(len(seen_now), bool)
        live[sorted(used)] = True
        report["dead"] = int((~live).sum())
        report["live_but_unseen"] = int((live & (seen_now == "unseen")).sum())
    return report
