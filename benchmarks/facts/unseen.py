"""Chapters on texts that no rule has seen: bars, shares by kind, the trade-off curve, misses."""

from __future__ import annotations

from typing import Any

from benchmarks.page.criterion import Criterion
from benchmarks.page.markdown import Row, columns, table
from prism.studies.facts.unseen_set import UNRELATED

BARS = {  # kind of case: the least share, as it was set before anything was measured
    "near miss": 0.95,
    "wording, all": 0.90,
    "wording, no shared word": 0.70,
    "form": 0.90,
    "positions of unrelated text, bit-identical": 0.9995,
}
MEANT = {
    "near miss": "near misses left unchanged",
    "form": "plain questions in other forms: lower case, possessive, its, lists",
}


def unseen_criteria(content: dict[str, Any] | None) -> list[Criterion]:
    """One criterion per bar, on the last set of the file."""
    if content is None:
        return []
    rows = {row["kind"]: row for row in content["runs"][-1]["rows"]}
    return [
        Criterion(f"U{i}", f"{MEANT.get(k, k)} ≥ {low:g}", _share(rows[k]), rows[k]["rate"] >= low)
        for i, (k, low) in enumerate(BARS.items(), start=1)
    ]


def unseen_sections(content: dict[str, Any]) -> list[str]:
    """Paragraphs and tables, from the content of unseen.json or unseen-encoder.json."""
    sections = []
    for run in content["runs"]:
        how = "with" if run["second opinion"] else "without"
        sections += [
            f"Set {run['set']}, {len(run['cases'])} texts by an author who had seen neither rules "
            "nor other sets, measured once on rules that were frozen before, "
            f"{how} the sentence encoder. Brackets are 95% Wilson intervals:",
            columns(run["rows"], {"texts": "{kind}", "share": _share, "of": "{count:,}"}),
            "Trade-off: the same where every level that the model's state or the second opinion "
            "must reach is moved by a shift; 0 is what is judged:",
            _curve(run["curve"]),
            _missed(run["cases"]),
        ]
    return sections


def _share(row: Row) -> str:
    return f"{row['rate']:.4f} [{row['low']:.4f}, {row['high']:.4f}]"


def _curve(points: list[dict[str, Any]]) -> str:
    kinds = [kind for kind in points[0] if kind not in ("shift", UNRELATED)]
    rows = [[f"{p['shift']:+g}".replace("-", "−"), *(f"{p[k]:.4f}" for k in kinds)] for p in points]
    return table(["shift", *kinds], rows)


def _missed(cases: list[dict[str, Any]]) -> str:
    """The texts that went wrong, as they are."""
    wrong = [case for case in cases if not case["right"]]
    if not wrong:
        return "No text went wrong."
    lines = [f"* {c['kind']}: `{c['prompt']}`; said: {_said(c)}" for c in wrong]
    return "What went wrong:\n\n" + "\n".join(lines)


def _said(case: dict[str, Any]) -> str:
    return "nothing" if case["said"] is None else f"`{case['said'].strip()}`"
