"""Chapter on the HoloTape: theory beside measurement, bytes, speed, refusal, real keys."""

from __future__ import annotations

import statistics
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
        *_apart(content["torchhd"]),
    ]


def _apart(row: dict[str, Any] | None) -> list[str]:
    """A line about torchhd, where it was measured apart from the rest."""
    if row is None or "meta" not in row:
        return []
    meta = row["meta"]
    return [f"torchhd was measured apart: `{meta['command']}` at commit {meta['commit']}."]


def million_sections(content: dict[str, Any]) -> list[str]:
    """Paragraphs and the table, from the content of million.json."""
    meta, bind, runs = content["meta"], content["bind"], content["ask"]
    tape = bind["tape_bytes"]
    asked = {f: statistics.median(row[f] for row in runs) for f in ("open", "recall", "slip")}
    wall = {f: statistics.median(row[f"{f}_wall"] for row in runs) for f in asked}
    asked["next_slip"] = statistics.median(row["next_slip"] for row in runs)
    wall["next_slip"] = statistics.median(row["next_slip_wall"] for row in runs)
    most, ingest = max(row["peak_bytes"] for row in runs), content["ingest"]
    rows: list[tuple[str, float, float, float | None]] = [
        ("bind_many alone", bind["bind"], bind["bind_wall"], None),
        ("bind_many, plan and save", bind["cpu"], bind["wall"], bind["peak_bytes"]),
        ("python -m prism.ingest", ingest["cpu"], ingest["wall"], ingest["ingest_bytes"]),
        ("open", asked["open"], wall["open"], most),
        ("recall of a key", asked["recall"], wall["recall"], most),
        ("recall of the first misspelt key", asked["slip"], wall["slip"], most),
        ("of the next", asked["next_slip"], wall["next_slip"], most),
    ]
    for name, several in (
        ("import torch, prism.holo", content["imports"]),
        ("python -m prism.ask", content["command"]),
    ):
        middle = [statistics.median(row[field] for row in several) for field in ("cpu", "wall")]
        rows.append((name, *middle, None))
    table = [
        {"name": n, "cpu": cpu, "wall": wall, "memory": "" if m is None else f"{m / tape:.2f} ×"}
        for n, cpu, wall, m in rows
    ]
    return [
        f"{content['facts']:,} facts of {content['values']:,} values, key texts kept, a file of "
        f"{content['file_bytes'] / 1e6:,.1f} MB. {meta['cpu']}, torch {meta['torch']}, one thread. "
        "The machine was shared (load average "
        f"{meta['load_average']} on {meta['cpus']} cores), so processor seconds are judged.",
        f"Peak memory is above that of the imports, against the tape's {tape / 1e6:,.1f} MB: "
        "accumulator, ledger with its table, texts of the keys. Of what is asked it is that of "
        "opening and all questions.",
        columns(table, MILLION),
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
MILLION: dict[str, Spec] = {
    "": "{name}",
    "processor s": "{cpu:.3f}",
    "wall s": "{wall:.3f}",
    "peak memory": "{memory}",
}
CALIBRATION: dict[str, Spec] = {
    "facts": "{facts:,}",
    "alpha": "{alpha:g}",
    "known answered right %": lambda row: percent(row["answered_right"]),
    "theory %": lambda row: percent(row["predicted_right"]),
    "unknown answered %": lambda row: percent(row["false_accepts"]),
    "ECE": "{ece:.4f}",
}
