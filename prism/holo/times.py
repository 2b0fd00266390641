"""Times of facts: seconds since 1970 that a calendar can show."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from numbers import Real
from typing import Any

START = datetime(1970, 1, 1, tzinfo=UTC)
ALLOWED = "a finite number of seconds since 1970, in the years 1 to 9999"


def calendar(seconds: float) -> datetime | None:
    """The date and time of seconds since 1970; None where no year of datetime has them."""
    try:
        return START + timedelta(seconds=seconds) if math.isfinite(seconds) else None
    except OverflowError:
        return None


def checked(time: Any, what: str) -> float | None:
    """``time`` as seconds; None, which is now, stays. ``what`` is named where it cannot be one.

    Raises:
        TypeError: no number.
        ValueError: not finite, or in no year that can be shown.
    """
    if time is None:
        return None
    if not isinstance(time, Real) or isinstance(time, bool):
        raise TypeError(f"{what}: time {time!r}: must be {ALLOWED}, not {type(time).__name__}")
    try:
        seconds = float(time)
    except OverflowError:  # an integer beyond all floats, perhaps of too many digits to write
        seconds = math.inf
    if calendar(seconds) is None:
        raise ValueError(f"{what}: time {seconds!r}: must be {ALLOWED}")
    return seconds
