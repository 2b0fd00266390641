"""Work of a run that is still to come."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Remaining:
    """Work ahead: ``steps``, ``validations`` of ``validation_tokens`` each, ``saves``."""

    steps: int
    validations: int
    saves: int
    validation_tokens: int


def times(after: int, end: int, every: int) -> int:
    """Number of steps n in ``after < n <= end`` that are the last or a multiple of ``every``; 0 =
    only the last."""
    if after >= end:
        return 0
    return 1 + ((end - 1) // every - after // every if every else 0)
