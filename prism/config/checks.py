"""Checks of a config's fields: a bad value is an error that names the field and what is allowed."""

from __future__ import annotations

import dataclasses
import math
import numbers
from typing import Any


def require(ok: bool, config: object, name: str, allowed: str) -> None:
    """Raise a ValueError about the field ``name`` of ``config`` unless ``ok``."""
    if not ok:
        found = f"{type(config).__name__}.{name} = {getattr(config, name)!r}"
        raise ValueError(f"{found}: must be {allowed}")


def is_int(value: object, low: int) -> bool:
    """True for an integer >= ``low``."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= low


def is_number(value: object) -> bool:
    """True for a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_plain(x) for x in value)
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return value
    return int(value) if isinstance(value, numbers.Integral) else float(value)


def make_plain(config: Any, *lists: str) -> None:
    """Make tuples of lists, and Python's own numbers of numpy's; ``lists`` must be such fields."""
    for f in dataclasses.fields(config):
        value = _plain(getattr(config, f.name))
        optional = f.name not in lists or (value is None and f.default is None)
        object.__setattr__(config, f.name, value)
        require(optional or isinstance(value, tuple), config, f.name, "a list")
