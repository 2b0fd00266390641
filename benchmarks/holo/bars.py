"""The bars of the HoloTape: what holo.json says about each."""

from __future__ import annotations

import dataclasses
from typing import Any

from benchmarks.page.bars import NOT_MEASURED, Bar, find

FACTS = {("plain", 1000): 249, ("plain", 10_000): 206, ("amp", 1000): 1050, ("amp", 10_000): 740}
LAYERED = 5000
MIB = 1e6


def holo_bars(content: dict[str, Any]) -> list[Bar]:
    """The bars, from the content of holo.json; a quick run meets and misses none."""
    found = [*_theory(content), *_density(content), *_million(content), *_refusal(content)]
    found += _keys(content) + _exact(content)
    if content["meta"]["profile"] == "full":
        return found
    return [dataclasses.replace(bar, met=None) for bar in found]


def _theory(content: dict[str, Any]) -> list[Bar]:
    worst = max(row["sigmas"] for row in content["grid"])
    bars = [Bar("1", "accuracy grid within 3 sigma of the integral", f"{worst:.2f}", worst <= 3)]
    for row in content["limits"]:
        off = abs(row["predicted"] / row["measured"] - 1)
        asks = f"capacity() within 3% of the measured 99% point, M={row['candidates']:,}"
        text = f"{100 * off:.1f}% ({row['predicted']} predicted, {row['measured']:.0f} measured)"
        bars.append(Bar("1", asks, text, off <= 0.03))
    return bars


def _density(content: dict[str, Any]) -> list[Bar]:
    bars = []
    for row in content["limits"]:
        bars.append(_at_least("2", "plain", row["candidates"], round(row["measured"])))
    for row in content["density"]:
        bars.append(_at_least("2", row["name"], row["candidates"], row["facts"]))
    return [bar for bar in bars if bar is not None]


def _at_least(number: str, name: str, size: int, facts: int) -> Bar | None:
    low = LAYERED if name == "layered amp" and size == 1000 else FACTS.get((name, size))
    if low is None:
        return None
    asks = f"{name}: facts per register at 99%, M={size:,} ≥ {low:,}"
    return Bar(number, asks, f"{facts:,}", facts >= (0.97 * low if name == "plain" else low))


def _million(content: dict[str, Any]) -> list[Bar]:
    bars = []
    for row in content["many"]:
        low = 50_000 if row["keys"].startswith("strings") else 70_000
        what = f"{row['facts']:,} facts, {row['keys']}"
        share, rate = row["top1"]["share"], row["bind_per_second"]
        asked, size = row["recall_per_second"], row["register_bytes"] / MIB
        bars += [
            Bar("3", f"{what}: top-1 ≥ 99%", f"{100 * share:.2f}%", share >= 0.99),
            Bar("3", f"{what}: register ≤ 45 MB", f"{size:.1f} MB", size <= 45),
            Bar("3", f"{what}: bind_many ≥ {low:,}/s", f"{rate:,.0f}/s", rate >= low),
            Bar("3", f"{what}: recall_many ≥ 4,000/s", f"{asked:,.0f}/s", asked >= 4000),
        ]
    row, asks = content["torchhd"], "recall_many ≥ 12 × torchhd's batched recall"
    if row is None:
        return [*bars, Bar("3", asks, NOT_MEASURED, None)]
    times = row["ours_per_second"] / row["torchhd_per_second"]
    return [*bars, Bar("3", asks, f"{times:.1f} ×", times >= 12)]


def _refusal(content: dict[str, Any]) -> list[Bar]:
    row = min(content["calibration"], key=lambda r: r["facts"])
    accepts, right = row["false_accepts"]["share"], row["answered_right"]["share"]
    ece = max(r["ece"] for r in content["calibration"])
    return [
        Bar("4", "false accepts ≤ 1.5% at alpha = 1%", f"{100 * accepts:.2f}%", accepts <= 0.015),
        Bar("4", "known answered right ≥ 99% at N = D/45", f"{100 * right:.2f}%", right >= 0.99),
        Bar("4", "ECE ≤ 0.01 up to the 99% point", f"{ece:.4f}", ece <= 0.01),
    ]


def _keys(content: dict[str, Any]) -> list[Bar]:
    row, bars = content["real_keys"], []
    for field, name, low in (("exact", "real keys", 0.99), ("one_typo", "one typo", 0.98)):
        asks = f"{name} ≥ {low:.0%}"
        if row is None:
            bars.append(Bar("5", asks, NOT_MEASURED, None))
        else:
            share = row[field]["share"]
            bars.append(Bar("5", asks, f"{100 * share:.1f}%", share >= low))
    return bars


def _exact(content: dict[str, Any]) -> list[Bar]:
    row = find(content["matched"], seed=0)
    if row is None:
        return []
    left = max(r["left_in_register"] for r in content["matched"])
    asks = f"{row['operations']:,} matched operations leave 0"
    return [Bar("6", asks, f"{left}", left == 0)]
