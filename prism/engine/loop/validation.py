"""Scores on held-out text, in bits per byte: the same number whatever the tokenizer.

    bits/byte = sum of -log2 p(target) / bytes that the targets stand for

Every rank reads its own rows, in micro-batches as in training, so that validation needs no more
memory than a step; with sharded weights all ranks run every forward together. Beside the scores,
how many of them a run has still before it.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from prism.data import RowBatch
from prism.engine.loop.loss import Rows, token_losses
from prism.engine.loop.step import count
from prism.engine.parallel.fsdp import reading
from prism.engine.parallel.world import World
from prism.model.protocol import LanguageModel, PrismOutput

Progress = Callable[[int, int], None]  # of forward passes: how many are done, of how many


def silent(done: int, total: int) -> None:
    """No progress is shown."""


@dataclass(frozen=True)
class HeldOut:
    """``loss`` in nats per target, ``bits_per_byte``, and the share of the gates' sum that every
    rate of the bus has (1 = as much as the others); None for models without a bus."""

    loss: float
    bits_per_byte: float
    rates: list[float] | None


def evaluate(
    model: LanguageModel,
    batches: Sequence[RowBatch],
    carry: bool,
    w: World,
    micro: int | None = None,
    progress: Progress = silent,
) -> HeldOut:
    """Score this rank's ``batches``; every rank must give equally many of equally many rows.

    Args:
        carry: read each batch as the continuation of the one before.
        micro: rows per forward; None = all of the rank.
        progress: told after every forward pass.
    """
    shows = "routing" in inspect.signature(type(model).forward).parameters
    total = torch.zeros(4, dtype=torch.float64, device=w.device)
    gates: Tensor | None = None
    pieces = len(_split(batches[0], micro, w)) if batches else 0
    states: list[Any] = [None] * pieces
    done = 0
    with reading(model):
        for batch in batches:
            total[1:] += count(batch, w.device).double()
            for i, rows in enumerate(_split(batch, micro, w)):
                extra = {"routing": True} if shows else {}
                output = model(rows.tokens, state=states[i], segment_ids=rows.segments, **extra)
                states[i] = output.state if carry else None
                total[0] += token_losses(output.logits, rows.targets).sum(dim=1).double().sum()
                if output.routing is not None:
                    more = _gates(output, rows.segments >= 0)
                    gates = more if gates is None else gates + more
                done += 1
                progress(done, pieces * len(batches))
    loss, targets, _, size = w.sum(total).tolist()
    rates = None
    if gates is not None:
        gates = w.sum(gates)
        rates = (gates * len(gates) / gates.sum()).tolist()
    return HeldOut(loss / max(targets, 1), loss / math.log(2) / max(size, 1), rates)


def _split(batch: RowBatch, micro: int | None, w: World) -> list[Rows]:
    return Rows.of(batch, w.device).split(micro or len(batch.tokens))


def _gates(output: PrismOutput, real: Tensor) -> Tensor:
    """``[K]``: the gates of every rate, summed over the real tokens and the layers."""
    assert output.routing is not None
    return torch.stack(
        [(r.bus_gates.double() * real[..., None]).sum(dim=(0, 1)) for r in output.routing]
    ).sum(dim=0)


@dataclass(frozen=True)
class Remaining:
    """Work ahead: ``steps``, ``validations`` of ``validation_tokens`` each, ``saves``."""

    steps: int
    validations: int
    saves: int
    validation_tokens: int


def times(after: int, end: int, every: int) -> int:
    """Number of steps n in ``after < n <= end`` that are the last or a multiple of ``every``; 0 =
    only the last."""
    if after >= end:
        return 0
    return 1 + ((end - 1) // every - after // every if every else 0)
