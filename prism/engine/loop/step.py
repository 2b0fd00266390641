"""Gradients of a batch that is spread over ranks and micro-batches.

    loss = sum over terms of  sum over ranks and micro-batches of the term
                              / its count over all ranks and micro-batches

The counts are known before the first backward pass (:mod:`prism.engine.loop.loss`). The sharded
reduction takes the mean over ranks, hence the factor ``world size`` on the loss. Router loads are
those of the global batch.

Every rank reads its own rows; with sharded weights all of them run every forward together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from prism.data import IGNORE, RowBatch
from prism.engine.loop.loss import CrossEntropy, Loss, ModelPenalties, OwnAnswer, Rows
from prism.engine.loop.stream_states import StreamStates
from prism.engine.parallel.fsdp import local_shards, norm, reduce_now
from prism.engine.parallel.world import World
from prism.model.protocol import LanguageModel, PrismOutput

DEFAULT_LOSSES: tuple[Loss, ...] = (CrossEntropy(), OwnAnswer(), ModelPenalties())


@dataclass(frozen=True)
class Gradients:
    """Record of the backward passes of a step, over the global batch.

    Attributes:
        logs: what the terms of the loss report, means over the valid targets; ``loss`` is the
            cross-entropy in nats, unweighted.
        targets: valid targets.
        real: tokens that are not padding.
        bytes: what the targets stand for.
        loads: ``[L, E]`` router loads, or None.
        bad_rows: rows of this rank with a loss that is not finite.
        any_bad: whether some rank has such rows.
    """

    logs: dict[str, float]
    targets: int
    real: int
    bytes: int
    loads: Tensor | None
    bad_rows: list[int]
    any_bad: bool

    @property
    def loss(self) -> float:
        """Mean cross-entropy over valid targets, nats; nan if no term reports it."""
        return self.logs.get("loss", math.nan)


def count(batch: RowBatch, device: torch.device) -> Tensor:
    """``[3]`` int64 on ``device``: valid targets, real tokens, bytes that the targets stand for."""
    parts = [(batch.targets != IGNORE).sum(), (batch.segment_ids >= 0).sum(), batch.bytes.sum()]
    return torch.stack(parts).to(device)


class _Forwards:
    """The forward passes of a step. With one micro-batch a term of the loss that looks ahead sees
    the very pass that is trained on."""

    def __init__(self, model: LanguageModel, parts: list[Rows], states: StreamStates) -> None:
        self.model, self.parts, self.states = model, parts, states
        self.first: PrismOutput | None = None

    def __call__(self, i: int) -> PrismOutput:
        output, self.first = self.first, None
        return self._run(i) if output is None else output

    def ahead(self) -> Iterator[tuple[Rows, PrismOutput]]:
        """Micro-batches and outputs before they are trained on; states stay where they are."""
        if len(self.parts) == 1:
            self.first = self.first or self._run(0)
            yield self.parts[0], self.first
            return
        for i, part in enumerate(self.parts):
            with torch.no_grad():
                output = self._run(i)
            yield part, output

    def _run(self, i: int) -> PrismOutput:
        part = self.parts[i]
        return self.model(part.tokens, state=self.states.states[i], segment_ids=part.segments)


def accumulate(
    model: LanguageModel,
    batch: RowBatch,
    states: StreamStates,
    w: World,
    losses: Sequence[Loss] = DEFAULT_LOSSES,
    step: int = 0,
) -> Gradients:
    """Add the gradients of the global batch to ``model`` and carry the streams' states on.

    Args:
        batch: this rank's rows.
        states: of the same row streams.
        losses: the terms of the loss.
        step: steps done.
    """
    rows = Rows.of(batch, w.device)
    parts = rows.split(states.micro)
    forward = _Forwards(model, parts, states)
    counts = torch.stack([loss.count(rows, step, forward.ahead).double() for loss in losses])
    sizes = w.sum(torch.cat([count(batch, w.device).double(), counts])).tolist()
    bad: list[Tensor] = []
    logs: dict[str, list[Tensor]] = {}
    loads: Tensor | None = None
    for i, part in enumerate(parts):
        reduce_now(model, last=i == len(parts) - 1)
        output = forward(i)
        states.keep(i, output.state)
        total: Tensor | float = 0.0
        bad_rows = torch.zeros(len(part.tokens), dtype=torch.bool, device=w.device)
        for loss, size in zip(losses, sizes[3:], strict=True):
            sums, said = loss(part, output, model.head.weight, step)
            total = total + sums.sum() / (size or 1.0)
            if sums.dim() > 0:
                bad_rows |= ~sums.detach().isfinite()
            for name, value in said.items():
                logs.setdefault(name, []).append(value.reshape(-1))
        (total * w.size).backward()
        bad.append(bad_rows)
        if output.loads is not None:
            # whole tokens, so that the balance controller sees the same bits for every split
            ran = (output.loads.double() * (part.segments >= 0).sum()).round()
            loads = ran if loads is None else loads + ran
    return _summed(torch.cat(bad), logs, loads, sizes, w)


def _summed(
    bad: Tensor,
    logs: dict[str, list[Tensor]],
    loads: Tensor | None,
    sizes: list[float],
    w: World,
) -> Gradients:
    targets, real, size = (int(x) for x in sizes[:3])
    record = [bad.sum().double()[None]]
    record += [torch.cat(values).double().sum()[None] for values in logs.values()]
    if loads is not None:
        record.append(loads.flatten())
    totals = w.sum(torch.cat(record))
    some, *sums = totals[: len(logs) + 1].tolist()
    return Gradients(
        logs={name: x / max(targets, 1) for name, x in zip(logs, sums, strict=True)},
        targets=targets,
        real=real,
        bytes=size,
        loads=None if loads is None else totals[len(logs) + 1 :].view_as(loads) / max(real, 1),
        bad_rows=bad.nonzero().flatten().tolist(),
        any_bad=bool(some),
    )


def gradient_norms(model: LanguageModel) -> Tensor:
    """Norms on all ranks of the gradients of the parts of ``model`` that share no loss,
    ``[parts]``."""
    return torch.stack([norm(part) for part in _gradients(model)])


def clip(model: LanguageModel, norms: Tensor, largest: float) -> None:
    """Scale the gradients of each part, of norm ``norms [parts]``, to at most ``largest``; 0 = no
    limit."""
    if largest > 0:
        factors = (largest / (norms + 1e-6)).clamp(max=1.0)
        for part, factor in zip(_gradients(model), factors, strict=True):
            torch._foreach_mul_(local_shards(part), factor)


def _gradients(model: LanguageModel) -> list[list[Tensor]]:
    """Those that there are, by parts that have any."""
    parts = [[p.grad for p in part if p.grad is not None] for part in model.trained_apart()]
    return [part for part in parts if part]
