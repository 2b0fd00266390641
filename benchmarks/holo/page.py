"""Chapter on the HoloTape: theory beside measurement, bytes, speed, refusal, real keys."""

from __future__ import annotations

from typing import Any

from benchmarks.page.markdown import Spec, columns, listed, percent


def holo_sections(content: dict[str, Any]) -> list[str]:
    """Paragraphs and tables, from the content of holo.json."""
    meta, dim = content["meta"], content["dim"]
    return [
        "![Theory and measurement](benchmarks/results/holo.png)",
        f"Facts in superposition, no training. {meta['cpu']}, torch {meta['torch']}, one thread.",
        f"Accuracy of the best value in one register of {dim:,} numbers, and the closed form:",
        columns(content["grid"], GRID, left=0),
        "Joint decoding (needs the list of keys), up to the last load at which 99% was reached:",
        columns(content["density"], DENSITY),
        "Many facts in banks. *Array dict* is what an exact table of (hash, index) would take: "
        "for exact keys it is smaller than register and ledger together, and never errs. What "
        "the superposition is good for instead is said in [docs/HOLO.md](docs/HOLO.md).",
        columns(content["many"], MANY | (BY_LEDGER if "by_ledger" in content["many"][0] else {})),
        "Known and unknown keys in equal parts, thresholds in closed form:",
        columns(content["calibration"], CALIBRATION, left=0),
        _real_keys(content["real_keys"]),
        *([_near_keys(content["near_keys"])] if "near_keys" in content else []),
    ]


def _megabytes(field: str) -> Spec:
    return lambda row: f"{row[field] / 1e6:,.1f} MB"


def _real_keys(row: dict[str, Any] | None) -> str:
    if row is None:
        return "Real keys were not measured: the `facts` extra was not installed."
    return (
        f"{row['keys']} real keys (country and relation): {percent(row['exact'])}% right; with one "
        f"typo {percent(row['one_typo'])}%, {100 * row['one_typo_refused']:.2f}% refused."
    )


def _near_keys(row: dict[str, Any]) -> str:
    return (
        f"Written by an author who had not seen the rule: of {row['pairs']} pairs of different "
        f"things of {row['kinds']} kinds {row['taken']} are taken for each other; of "
        f"{row['slips']['n']} keys with one typing error in a long word {percent(row['slips'])}% "
        f"are guessed right and {row['slips_wrong']} wrong."
    )


GRID: dict[str, Spec] = {
    "candidates": "{candidates:,}",
    "facts": "{facts:,}",
    "right % [95%]": percent,
    "theory %": lambda row: percent(row["predicted"]),
    "sigmas apart": "{sigmas:.1f}",
    "seeds": "{seeds:,}",
}
DENSITY: dict[str, Spec] = {
    "decoder": "{name}",
    "candidates": "{candidates:,}",
    "facts": "{facts:,}",
    "limit by state evolution": "{limit:,.0f}",
    "decoded exactly": lambda row: listed(
        f"{r['exact']} of {row['seeds']} at {r['facts']:,}" for r in row["rows"]
    ),
}
MANY: dict[str, Spec] = {
    "facts and keys": "{facts:,} {keys}",
    "top-1 % [95%]": lambda row: percent(row["top1"]),
    "theory %": lambda row: percent(row["predicted"]),
    "register": "{banks:,} × {dim:,} {dtype}",
    "bytes": _megabytes("register_bytes"),
    "ledger": _megabytes("ledger_bytes"),
    "array dict": _megabytes("array_dict_bytes"),
    "binds/s": "{bind_per_second:,.0f}",
    "recalls/s": "{recall_per_second:,.0f}",
}
BY_LEDGER: dict[str, Spec] = {  # a recall that the register misses, by default
    "answered by the ledger": lambda row: f"{100 * row['by_ledger']:.2f}%",
}
CALIBRATION: dict[str, Spec] = {
    "facts": "{facts:,}",
    "alpha": "{alpha:g}",
    "known answered right %": lambda row: percent(row["answered_right"]),
    "theory %": lambda row: percent(row["predicted_right"]),
    "unknown answered %": lambda row: percent(row["false_accepts"]),
    "ECE": "{ece:.4f}",
}
