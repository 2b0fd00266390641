"""Acceptance criteria of the HoloTape, from the content of holo.json."""

from __future__ import annotations

from typing import Any

from benchmarks.page.criterion import Criterion, find

FACTS = {("plain", 1000): 249, ("plain", 10_000): 206, ("amp", 1000): 1050, ("amp", 10_000): 740}
FACTS["layered amp", 1000] = 5000
SLACK = 0.97  # of the plain decoder, whose limit is measured on a sample
MEGABYTE = 1e6


def holo_criteria(content: dict[str, Any] | None) -> list[Criterion]:
    """All criteria in order."""
    if content is None:
        return []
    groups = (_theory, _density, _many, _refusal, _keys, _exact)
    return [criterion for group in groups for criterion in group(content)]


def _theory(content: dict[str, Any]) -> list[Criterion]:
    worst = max(row["sigmas"] for row in content["grid"])
    asks = "accuracy grid within 3 sigma of the integral"
    criteria = [Criterion("1", asks, f"{worst:.2f}", worst <= 3)]
    for row in content["limits"]:
        off = abs(row["predicted"] / row["measured"] - 1)
        asks = f"capacity() within 3% of the measured 99% point, M={row['candidates']:,}"
        text = f"{100 * off:.1f}% ({row['predicted']} predicted, {row['measured']:.0f} measured)"
        criteria.append(Criterion("1", asks, text, off <= 0.03))
    return criteria


def _density(content: dict[str, Any]) -> list[Criterion]:
    rows = [("plain", r["candidates"], round(r["measured"]), SLACK) for r in content["limits"]]
    rows += [(r["name"], r["candidates"], r["facts"], 1.0) for r in content["density"]]
    return [
        Criterion(
            "2",
            f"{name}: facts per register at 99%, M={size:,} ≥ {FACTS[name, size]:,}",
            f"{facts:,}",
            facts >= slack * FACTS[name, size],
        )
        for name, size, facts, slack in rows
        if (name, size) in FACTS
    ]


def _many(content: dict[str, Any]) -> list[Criterion]:
    criteria = []
    for row in content["many"]:
        low = 50_000 if row["keys"].startswith("strings") else 70_000
        what = f"{row['facts']:,} facts, {row['keys']}"
        share, rate = row["top1"]["share"], row["bind_per_second"]
        asked, size = row["recall_per_second"], row["register_bytes"] / MEGABYTE
        criteria += [
            Criterion("3", f"{what}: top-1 ≥ 99%", f"{100 * share:.2f}%", share >= 0.99),
            Criterion("3", f"{what}: register ≤ 45 MB", f"{size:.1f} MB", size <= 45),
            Criterion("3", f"{what}: bind_many ≥ {low:,}/s", f"{rate:,.0f}/s", rate >= low),
            Criterion("3", f"{what}: recall_many ≥ 4,000/s", f"{asked:,.0f}/s", asked >= 4000),
        ]
    row, asks = content["torchhd"], "recall_many ≥ 12 × torchhd's batched recall"
    if row is None:
        return [*criteria, Criterion("3", asks)]
    times = row["ours_per_second"] / row["torchhd_per_second"]
    return [*criteria, Criterion("3", asks, f"{times:.1f} ×", times >= 12)]


def _refusal(content: dict[str, Any]) -> list[Criterion]:
    row = min(content["calibration"], key=lambda r: r["facts"])
    accepts, right = row["false_accepts"]["share"], row["answered_right"]["share"]
    ece = max(r["ece"] for r in content["calibration"])
    shown = f"{100 * accepts:.2f}%", f"{100 * right:.2f}%"
    return [
        Criterion("4", "false accepts ≤ 1.5% at alpha = 1%", shown[0], accepts <= 0.015),
        Criterion("4", "known answered right ≥ 99% at N = D/45", shown[1], right >= 0.99),
        Criterion("4", "ECE ≤ 0.01 up to the 99% point", f"{ece:.4f}", ece <= 0.01),
    ]


def _keys(content: dict[str, Any]) -> list[Criterion]:
    row, criteria = content["real_keys"], []
    for field, name, low in (("exact", "real keys", 0.99), ("one_typo", "one typo", 0.98)):
        asks = f"{name} ≥ {low:.0%}"
        if row is None:
            criteria.append(Criterion("5", asks))
        else:
            share = row[field]["share"]
            criteria.append(Criterion("5", asks, f"{100 * share:.1f}%", share >= low))
    near = content.get("near_keys")
    if near is not None:  # a file from before it was measured
        asks = f"of {near['pairs']} pairs of different things at most 2 taken for each other"
        criteria.append(Criterion("5", asks, f"{near['taken']}", near["taken"] <= 2))
        share = near["slips"]["share"]
        asks = "one typing error in a long word, written apart ≥ 98%"
        criteria.append(Criterion("5", asks, f"{100 * share:.1f}%", share >= 0.98))
    return criteria


def _exact(content: dict[str, Any]) -> list[Criterion]:
    row = find(content["matched"], seed=0)
    if row is None:
        return []
    left = max(r["left_in_register"] for r in content["matched"])
    asks = f"{row['operations']:,} matched operations leave 0"
    return [Criterion("6", asks, f"{left}", left == 0)]
