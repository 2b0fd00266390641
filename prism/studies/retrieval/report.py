"""Cost of ``holo_mode``, and the table of the study: every figure with its criterion and protocol.

Floating-point operations are counted by torch's dispatcher over matrix products, not estimated. The
sums over hashes are integers; a read also multiplies its D numbers by the signs of the key, which
no counter of matrix products sees and which is reported as the 2 D that it is.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Sequence
from typing import Any

import torch
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

from prism.inject.token_facts import TokenFacts
from prism.model.prism import Prism
from prism.studies.retrieval.measures import RetrievalRow

REPEATS = 20
TOKENS = 64
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


@torch.no_grad()
def cost(model: Prism, tape: TokenFacts) -> dict[str, Any]:
    """Parameters and operations with and without ``holo_mode``, as plain JSON values.

    Args:
        model: one with ``holo_mode``.
        tape: the tape that is read; only its size matters.
    """
    plain = Prism(dataclasses.replace(model.config, holo_mode=False))
    tokens = torch.zeros(1, TOKENS, dtype=torch.long)
    key = torch.zeros(1, dtype=torch.long)
    base, able = plain.num_parameters(), model.num_parameters()
    without = _operations(lambda: plain(tokens)) / TOKENS
    with_it = _operations(lambda: model(tokens)) / TOKENS
    product = 2 * tape.tape.config.dim
    return {
        "parameters": base,
        "parameters added": able - base,
        "parameters added, share": (able - base) / base,
        "flops per token": without,
        "flops added per token": with_it - without,
        "flops added per token, share": (with_it - without) / without,
        "flops per question": product + _operations(lambda: tape.read_tokens(key, key)),
        "ms per question": _milliseconds(lambda: tape.read_tokens(key, key)),
        "ms per token": _milliseconds(lambda: plain(tokens[:, :1])),
        "register bytes": tape.tape.nbytes,
    }


def _operations(call: Any) -> int:
    counter = FlopCounterMode(display=False)
    with counter:
        call()
    return counter.get_total_flops()


def _milliseconds(call: Any) -> float:
    """Median over repeats of the time of one call."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def answers_table(rows: Sequence[RetrievalRow]) -> Table:
    """One line per figure; one that misses its criterion is marked."""
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
    """The cost in two sentences."""
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
