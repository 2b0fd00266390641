"""Bars 7 and 8: what speed.json says about step time, memory, decoding and the neural share."""

from __future__ import annotations

import dataclasses
from typing import Any

from benchmarks.page.bars import Bar, at_most, find

STEP_LIMITS = {64: 1.6, 2048: 1.0, 8192: 0.5}
SHORT, LONG = 2048, 16384
PER_TOKEN_LIMIT = 1.2
DECODE_LIMIT = 1.15
SHARE_LIMIT = 1.2


def speed_bars(speed: dict[str, Any]) -> list[Bar]:
    """The bars, from the content of speed.json. A quick run meets and misses none: its sizes are
    not those that the bars are about."""
    found = _bars(speed)
    if speed["meta"]["profile"] == "full":
        return found
    return [dataclasses.replace(bar, met=None) for bar in found]


def _bars(speed: dict[str, Any]) -> list[Bar]:
    bars = [
        at_most(
            "7",
            f"step time at T={length:,} ≤ {limit:g} of the Transformer's",
            step_ratio(speed, "prism", length),
            limit,
        )
        for length, limit in STEP_LIMITS.items()
    ]
    bars += [
        at_most(
            "7",
            f"time per token at T={LONG:,} ≤ {PER_TOKEN_LIMIT:g} of that at T={SHORT:,}",
            per_token_ratio(speed["steps"], "median", "prism"),
            PER_TOKEN_LIMIT,
        ),
        at_most(
            "7",
            f"decoding time per token, slowest context / fastest ≤ {DECODE_LIMIT:g}",
            decode_spread(speed, "prism"),
            DECODE_LIMIT,
        ),
        at_most(
            "7",
            f"peak memory linear: per token at T={LONG:,} ≤ {PER_TOKEN_LIMIT:g} of T={SHORT:,}",
            per_token_ratio(speed["memory"], "bytes", "prism"),
            PER_TOKEN_LIMIT,
        ),
    ]
    return bars + [_share_bar(row) for row in speed["neural_share"]]


def step_ratio(speed: dict[str, Any], model: str, length: int) -> float | None:
    """Median step time of ``model`` over that of the Transformer in the same run."""
    ours = find(speed["steps"], model=model, length=length)
    theirs = find(speed["steps"], model="transformer", length=length)
    return None if ours is None or theirs is None else ours["median"] / theirs["median"]


def per_token_ratio(rows: list[dict[str, Any]], field: str, model: str) -> float | None:
    """``field`` per token at the length ``LONG`` over that at ``SHORT``."""
    long, short = (find(rows, model=model, length=length) for length in (LONG, SHORT))
    if long is None or short is None or not long[field] or not short[field]:
        return None
    return (long[field] / LONG) / (short[field] / SHORT)


def decode_spread(speed: dict[str, Any], model: str) -> float | None:
    """Slowest over fastest context; None if fewer than two were measured."""
    medians = [row["median"] for row in speed["decode"] if row["model"] == model]
    return max(medians) / min(medians) if len(medians) > 1 else None


def _share_bar(row: dict[str, Any]) -> Bar:
    asks = f"top-{row['topk']}, d_model {row['d_model']}: neural kind ≤ {SHARE_LIMIT:g} × its share"
    detail = f" (share {row['share']:.2f}; FLOPs {row['flops_cost']:.3f})"
    return at_most("8", asks, row["cost"], SHARE_LIMIT, detail)
