"""Results as one JSON file and a table, every figure beside its bar and its protocol."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from prism import whole_file
from prism.studies.retrieval.measures import Row

BARS = {
    "answered": 0.95,
    "refused, its subject is known": 0.95,
    "refused, its subject is not": 0.95,
    "logits bit-identical, gate closed": 1.0,
    "parameters unchanged": 1.0,
    "register as if never told": 1.0,
}
# The read head of the first public implementation of this idea, trained and asked about bound
# facts, and what it added to the parameters of its largest preset.
FIRST_DESIGN = {"answered": 3 / 100, "answered, no tape": 7 / 100, "parameters added, share": 0.53}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replace ``path`` in one step."""
    whole_file.write(path, json.dumps(content, indent=1) + "\n")


def answers_table(rows: Sequence[Row]) -> Table:
    """One line per figure; what misses its bar says so."""
    shown = Table(title="facts that the frozen model never saw, bound to its tape")
    for name, side in (("", "left"), ("share", "right"), ("bar", "right"), ("of", "right")):
        shown.add_column(name, justify=side)
    shown.add_column("first design", justify="right")
    shown.add_column("protocol")
    for row in rows:
        bar = BARS.get(row.metric)
        verdict = "" if bar is None else f"{'>=' if row.value >= bar else 'MISSED'} {bar:g}"
        first = FIRST_DESIGN.get(row.metric)
        beside = "" if first is None else f"{first:g}"
        shown.add_row(row.metric, f"{row.value:.4g}", verdict, str(row.count), beside, row.protocol)
    return shown


def cost_lines(cost: dict[str, Any]) -> list[str]:
    """What ``holo_mode`` adds, in two sentences."""
    added = cost["parameters added"]
    return [
        f"holo_mode adds {added:,} parameters to {cost['parameters']:,} "
        f"({cost['parameters added, share']:.2%}; the first design "
        f"{FIRST_DESIGN['parameters added, share']:.0%}) and "
        f"{cost['flops added per token']:,.0f} FLOPs to {cost['flops per token']:,.0f} a token "
        f"({cost['flops added per token, share']:.2%}).",
        f"A question reads the register once: {cost['flops per question']:,} FLOPs, "
        f"{cost['ms per question']:.2f} ms, of {cost['register bytes']:,} bytes.",
    ]
