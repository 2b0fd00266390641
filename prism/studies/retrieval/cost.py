"""What ``holo_mode`` costs: parameters, multiplications per token, and per question to the tape.

Floating-point operations are those of the matrix products that torch dispatches, counted and not
estimated; the sums over the hashes are integers, and a read also multiplies its D numbers by the
key's signs, which no counter of matrix products sees and which is reported as the 2 D that it is.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from prism.inject.token_facts import TokenFacts
from prism.model.prism import Prism

REPEATS = 20
TOKENS = 64


@torch.no_grad()
def cost(model: Prism, tape: TokenFacts) -> dict[str, Any]:
    """Parameters and operations with and without, as plain JSON values.

    Args:
        model: one with ``holo_mode``.
        tape: what is asked; only its size matters.
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
