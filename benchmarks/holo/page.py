"""The part of RESULTS.md about the HoloTape: its bars, theory beside measurement, bytes, speed."""

from __future__ import annotations

from typing import Any

from benchmarks.holo.bars import holo_bars
from benchmarks.page import bars
from benchmarks.page.markdown import table


def sections(content: dict[str, Any]) -> list[str]:
    """Paragraphs and tables, from the content of holo.json."""
    meta, dim = content["meta"], content["dim"]
    found = holo_bars(content)
    met = sum(bar.met is True for bar in found)
    return [
        "![Theory and measurement](benchmarks/results/holo.png)",
        f"Facts in superposition, no training. {meta['cpu']}, torch {meta['torch']}, one thread. "
        f"Its own bars, {met} of {len(found)} met:",
        table(bars.HEAD, [bar.cells for bar in found], left=4),
        f"Accuracy of the best value in one register of {dim:,} numbers, and the closed form:",
        _grid(content["grid"]),
        "Joint decoding (needs the list of keys), up to the last load at which 99% was reached:",
        _density(content["density"]),
        "Many facts in banks. *Array dict* is what an exact table of (hash, index) would take: "
        "for exact keys it is smaller than register and ledger together, and never errs. What "
        "the superposition is good for instead is said in [docs/HOLO.md](docs/HOLO.md).",
        _many(content["many"]),
        "Known and unknown keys in equal parts, thresholds in closed form:",
        _calibration(content["calibration"]),
        _real_keys(content["real_keys"]),
    ]


def _share(cell: dict[str, Any]) -> str:
    """A proportion with its 95% interval, in percent."""
    return f"{100 * cell['share']:.2f} [{100 * cell['low']:.2f}, {100 * cell['high']:.2f}]"


def _grid(rows: list[dict[str, Any]]) -> str:
    lines = [
        [
            f"{row['candidates']:,}",
            f"{row['facts']:,}",
            _share(row),
            f"{100 * row['predicted']:.2f}",
            f"{row['sigmas']:.1f}",
            f"{row['seeds']:,}",
        ]
        for row in rows
    ]
    head = ["candidates", "facts", "right % [95%]", "theory %", "sigmas apart", "seeds"]
    return table(head, lines, left=0)


def _density(rows: list[dict[str, Any]]) -> str:
    lines = [
        [
            row["name"],
            f"{row['candidates']:,}",
            f"{row['facts']:,}",
            f"{row['limit']:,.0f}",
            ", ".join(f"{r['exact']} of {row['seeds']} at {r['facts']:,}" for r in row["rows"]),
        ]
        for row in rows
    ]
    head = ["decoder", "candidates", "facts", "limit by state evolution", "decoded exactly"]
    return table(head, lines)


def _many(rows: list[dict[str, Any]]) -> str:
    lines = [
        [
            f"{row['facts']:,} {row['keys']}",
            _share(row["top1"]),
            f"{100 * row['predicted']:.2f}",
            f"{row['banks']:,} × {row['dim']:,} {row['dtype']}",
            _megabytes(row["register_bytes"]),
            _megabytes(row["ledger_bytes"]),
            _megabytes(row["array_dict_bytes"]),
            f"{row['bind_per_second']:,.0f}",
            f"{row['recall_per_second']:,.0f}",
        ]
        for row in rows
    ]
    head = ["facts and keys", "top-1 % [95%]", "theory %", "register", "bytes", "ledger"]
    return table([*head, "array dict", "binds/s", "recalls/s"], lines)


def _calibration(rows: list[dict[str, Any]]) -> str:
    lines = [
        [
            f"{row['facts']:,}",
            f"{row['alpha']:g}",
            _share(row["answered_right"]),
            f"{100 * row['predicted_right']:.2f}",
            _share(row["false_accepts"]),
            f"{row['ece']:.4f}",
        ]
        for row in rows
    ]
    head = ["facts", "alpha", "known answered right %", "theory %", "unknown answered %", "ECE"]
    return table(head, lines, left=0)


def _real_keys(row: dict[str, Any] | None) -> str:
    if row is None:
        return "Real keys were not measured: the `facts` extra was not installed."
    return (
        f"{row['keys']} real keys (country and relation): {_share(row['exact'])}% right; with one "
        f"typo {_share(row['one_typo'])}%, {100 * row['one_typo_refused']:.2f}% refused."
    )


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
