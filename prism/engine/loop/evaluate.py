"""Held-out bits per byte: the same number whatever the tokenizer.

    bits/byte = sum of -log2 p(target) / bytes that the targets stand for

Every rank reads its own rows; with sharded weights all of them run every forward together.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from prism.data import RowBatch
from prism.engine.loop.loss import Rows, token_losses
from prism.engine.loop.step import count
from prism.engine.parallel.fsdp import reading
from prism.engine.parallel.world import World
from prism.model.protocol import LanguageModel


@dataclass(frozen=True)
class HeldOut:
    """``loss`` in nats per target, ``bits_per_byte``, and the share of the gates' sum that every
    rate of the bus has (1 = as much as the others); None for models without a bus."""

    loss: float
    bits_per_byte: float
    rates: list[float] | None


def evaluate(model: LanguageModel, batches: Sequence[RowBatch], carry: bool, w: World) -> HeldOut:
    """Score this rank's ``batches``; every rank must give equally many.

    Args:
        carry: read each batch as the continuation of the one before.
    """
    shows = "routing" in inspect.signature(type(model).forward).parameters
    total = torch.zeros(4, dtype=torch.float64, device=w.device)
    gates: Tensor | None = None
    state = None
    with reading(model):
        for batch in batches:
            rows = Rows.of(batch, w.device)
            extra = {"routing": True} if shows else {}
            output = model(rows.tokens, state=state, segment_ids=rows.segments, **extra)
            state = output.state if carry else None
            by_row = token_losses(output.logits, rows.targets).sum(dim=1)
            loss = by_row.double().sum()
            total += torch.cat([loss[None], count(batch, w.device).double()])
            if output.routing is not None:
                mean = torch.stack([r.bus_gates.double().mean(dim=(0, 1)) for r in output.routing])
                gates = mean if gates is None else gates + mean
    loss, targets, _, size = w.sum(total).tolist()
    rates = None
    if gates is not None:
        gates = w.sum(gates).mean(dim=0)
        rates = (gates * len(gates) / gates.sum()).tolist()
    return HeldOut(loss / max(targets, 1), loss / math.log(2) / max(size, 1), rates)
