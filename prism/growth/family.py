"""Sizes of one family: a small config with all that growth cannot change as in a larger one.

Half-lives, slots, kinds of expert and a few more are the same before and after growing
(``prism.growth.bounds``). A model that is meant to grow is therefore built with those of the size
that it will have, and is small in the rest: width, blocks, heads, values, units.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from prism.config import PrismConfig
from prism.growth.bounds import FIELD_NAMES, FIXED

RATES = ("half_lives", "num_rates", "half_life_min", "half_life_max")
RETENTION = "tape.retention"
ROUTING = ("balance_target",)  # one per kind, and their sum is the number that runs


def related(
    small: PrismConfig, large: PrismConfig, own: Collection[str] = ()
) -> tuple[PrismConfig, dict[str, Any]]:
    """``small`` with what growth cannot change as in ``large``.

    Args:
        own: fields that stay as they are, such as ``tape.num_slots``; one of half_lives, num_rates,
            half_life_min, half_life_max keeps all four.

    Returns:
        The config, and the fields that changed with their values.

    Raises:
        ValueError: no config of the family is that small, e.g. fewer channels than rates.
    """
    paths = [FIELD_NAMES.get(path, path) for path, _, _ in FIXED]
    taken = [path for path in (*paths, *ROUTING, RETENTION) if path not in own]
    if not set(RATES) & set(own):
        taken += RATES
    values, wanted, changed = small.to_dict(), large.to_dict(), {}
    if isinstance(large.tape.retention, tuple):  # one for each content head
        wanted["tape"]["retention"] = large.tape.retention[: small.tape.content_heads]
    for path in taken:
        part, _, field = path.rpartition(".")
        here, there = (values[part], wanted[part]) if part else (values, wanted)
        if here[field] != there[field]:
            here[field] = changed[path] = there[field]
    return PrismConfig.from_dict(values), changed
