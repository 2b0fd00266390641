"""Criteria 7 and 8: step time, memory and decoding; the cost of the neural kind."""

from __future__ import annotations

from typing import Any

from benchmarks.page.criterion import Criterion, at_most, find

STEP_LIMITS = {64: 1.6, 2048: 1.0, 8192: 0.5}
SHORT, LONG = 2048, 16384
PER_TOKEN_LIMIT = 1.2
DECODE_LIMIT = 1.15
SHARE_LIMIT = 1.2


def speed_criteria(speed: dict[str, Any] | None) -> list[Criterion]:
    """The criteria, from the content of speed.json."""
    if speed is None:
        asks = {"7": "step time, memory, decoding", "8": "cost of the neural kind"}
        return [Criterion(number, what) for number, what in asks.items()]
    per_token = f"per token at T={LONG:,} ≤ {PER_TOKEN_LIMIT:g} of"
    asked = [
        (f"step time at T={t:,} ≤ {limit:g} of the Transformer's", step_ratio(speed, t), limit)
        for t, limit in STEP_LIMITS.items()
    ]
    asked += [
        (
            f"time {per_token} that at T={SHORT:,}",
            per_token_ratio(speed["steps"], "median"),
            PER_TOKEN_LIMIT,
        ),
        (
            f"decoding time per token, slowest context / fastest ≤ {DECODE_LIMIT:g}",
            decode_spread(speed),
            DECODE_LIMIT,
        ),
        (
            f"peak memory linear: {per_token} T={SHORT:,}",
            per_token_ratio(speed["memory"], "bytes"),
            PER_TOKEN_LIMIT,
        ),
    ]
    return [at_most("7", *each) for each in asked] + [
        at_most(
            "8",
            f"top-{row['topk']}, d_model {row['d_model']}: neural kind ≤ {SHARE_LIMIT:g} × its "
            "share",
            row["cost"],
            SHARE_LIMIT,
            f" (share {row['share']:.2f}; FLOPs {row['flops_cost']:.3f})",
        )
        for row in speed["neural_share"]
    ]


def step_ratio(speed: dict[str, Any], length: int) -> float | None:
    """Median step time of PRISM over that of the Transformer in the same run."""
    ours = find(speed["steps"], model="prism", length=length)
    theirs = find(speed["steps"], model="transformer", length=length)
    return None if ours is None or theirs is None else ours["median"] / theirs["median"]


def per_token_ratio(rows: list[dict[str, Any]], field: str) -> float | None:
    """PRISM's ``field`` per token at the length ``LONG`` over that at ``SHORT``."""
    long, short = (find(rows, model="prism", length=length) for length in (LONG, SHORT))
    if long is None or short is None or not long[field] or not short[field]:
        return None
    return (long[field] / LONG) / (short[field] / SHORT)


def decode_spread(speed: dict[str, Any]) -> float | None:
    """Slowest over fastest context of PRISM; None if fewer than two were measured."""
    medians = [row["median"] for row in speed["decode"] if row["model"] == "prism"]
    return max(medians) / min(medians) if len(medians) > 1 else None
