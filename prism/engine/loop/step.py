"""One optimizer step on a global batch that is spread over ranks and micro-batches.

    loss = sum over all valid targets of -log p / (their number on ALL ranks and micro-batches)
         + sum over micro-batches of aux * (their real tokens / real tokens of the global batch)
         + sum over real tokens of what guests pay on top / real tokens of the global batch

Both counts are known before the first forward, so any split of the same rows into ranks and
micro-batches gives the same gradients, however ragged the documents are. (A mean of means does not,
and neither does a mean per rank.) The sharded reduction takes the mean over ranks, hence the factor
``world size`` on the loss. Router loads are those of the global batch.

With token weights the first line is the sum of -w log p over the sum of w, both over the global
batch; the loss that is reported stays the unweighted one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from prism.data import IGNORE, RowBatch
from prism.engine.levers.weighting import Weighting, Weights, token_losses
from prism.engine.loop.lanes_state import LaneStates
from prism.engine.parallel.parts import norm, scale
from prism.engine.parallel.world import World, reduce_now
from prism.model.protocol import LanguageModel
from prism.modular.output_penalty import out_of_domain_penalty


@dataclass(frozen=True)
class Gradients:
    """What the backward passes of a step found, over the global batch.

    Attributes:
        loss: mean cross-entropy over valid targets, unweighted, nats.
        targets: valid targets.
        real: tokens that are not padding.
        bytes: what the targets stand for.
        loads: ``[L, E]`` router loads, or None.
        bad_rows: rows of this rank with a loss that is not finite.
        any_bad: whether some rank has such rows.
        selected: share of the targets that were trained on; None without token weights.
    """

    loss: float
    targets: int
    real: int
    bytes: int
    loads: Tensor | None
    bad_rows: list[int]
    any_bad: bool
    selected: float | None = None


@dataclass(frozen=True)
class Rows:
    """A rank's rows of a batch on its device: ``tokens, targets, segments [n, T]``, and ``guests
    [n, T]`` where the batch knows guests."""

    tokens: Tensor
    targets: Tensor
    segments: Tensor
    guests: Tensor | None = None

    @classmethod
    def of(cls, batch: RowBatch, device: torch.device) -> Rows:
        """Move ``batch`` to ``device``."""
        whole = cls(batch.tokens, batch.targets, batch.segment_ids, batch.out_of_domain)
        return cls(*(x.to(device, non_blocking=True) for x in whole._tensors()))

    def split(self, micro: int) -> list[Rows]:
        """Micro-batches of ``micro`` rows."""
        parts = zip(*(x.split(micro) for x in self._tensors()), strict=True)
        return [Rows(*part) for part in parts]

    def _tensors(self) -> list[Tensor]:
        """Those that there are, in the order of the fields."""
        whole = (self.tokens, self.targets, self.segments, self.guests)
        return [x for x in whole if x is not None]

    def on_top(self, price: Tensor | None) -> Tensor | float:
        """What guests pay on top of the ``price [n, T]`` of all, summed over real tokens."""
        if self.guests is None or price is None:
            return 0.0
        return out_of_domain_penalty(price, self.guests & (self.segments >= 0)).sum()


def row_losses(logits: Tensor, targets: Tensor) -> Tensor:
    """Summed cross-entropy of each row, ``[n]`` nats, at least fp32."""
    return token_losses(logits, targets).sum(dim=1)


def count(batch: RowBatch, device: torch.device) -> Tensor:
    """``[3]`` int64 on ``device``: valid targets, real tokens, bytes that the targets stand for."""
    parts = [(batch.targets != IGNORE).sum(), (batch.segment_ids >= 0).sum(), batch.bytes.sum()]
    return torch.stack(parts).to(device)


def accumulate(
    model: LanguageModel,
    batch: RowBatch,
    states: LaneStates,
    w: World,
    weighting: Weighting | None = None,
) -> Gradients:
    """Add the gradients of the global batch to ``model`` and carry the lanes' states on.

    Args:
        batch: this rank's rows.
        states: of the same lanes.
        weighting: gives every target its weight in the loss; None = all the same.
    """
    rows = Rows.of(batch, w.device)
    counts = w.sum(count(batch, w.device)).tolist()
    targets, real, _ = counts
    parts = rows.split(states.micro)
    weights = None
    if weighting is not None and len(parts) > 1:
        weights = _weights(weighting, rows, _foreseen(model, parts, states))
    losses: list[Tensor] = []
    loads: Tensor | None = None
    for i, part in enumerate(parts):
        reduce_now(model, last=i == len(parts) - 1)
        output = model(part.tokens, state=states.states[i], segment_ids=part.segments)
        states.keep(i, output.state)
        each = token_losses(output.logits, part.targets)
        if weighting is not None and weights is None:
            weights = _weights(weighting, rows, each.detach())
        here = (part.segments >= 0).sum()
        price = output.aux_loss * here + part.on_top(output.penalty)
        loss = _mean(each, weights, i, targets) + price / max(real, 1)
        (loss * w.size).backward()
        losses.append(each.detach().sum(dim=1))
        if output.loads is not None:
            # whole tokens, so that the balance controller sees the same bits for every split
            ran = (output.loads.double() * here).round()
            loads = ran if loads is None else loads + ran
    found = _summed(torch.cat(losses), loads, counts, w)
    return found if weights is None else replace(found, selected=weights.share)


def _foreseen(model: LanguageModel, parts: list[Rows], states: LaneStates) -> Tensor:
    """Losses of the coming forward passes, ``[n, T]``; the states stay where they are."""
    with torch.no_grad():
        outputs = (
            model(part.tokens, state=state, segment_ids=part.segments)
            for part, state in zip(parts, states.states, strict=True)
        )
        each = [token_losses(o.logits, p.targets) for o, p in zip(outputs, parts, strict=True)]
    return torch.cat(each)


def _weights(weighting: Weighting, rows: Rows, loss: Tensor) -> Weights:
    return weighting(rows.tokens, rows.segments, rows.targets, loss)


def _mean(each: Tensor, weights: Weights | None, part: int, targets: int) -> Tensor:
    """What the losses ``each [m, T]`` of micro-batch ``part`` add to the loss of the step."""
    if weights is None:
        return each.sum(dim=1).sum() / max(targets, 1)
    mine = weights.mine.split(len(each))[part]
    return (each * mine).sum(dim=1).sum() / max(weights.total, 1.0)


def _summed(each: Tensor, loads: Tensor | None, counts: list[int], w: World) -> Gradients:
    bad = ~each.isfinite()
    record = [each.double().sum()[None], bad.sum().double()[None]]
    if loads is not None:
        record.append(loads.flatten())
    total = w.sum(torch.cat(record))
    return Gradients(
        loss=total[0].item() / max(counts[0], 1),
        targets=counts[0],
        real=counts[1],
        bytes=counts[2],
        loads=None if loads is None else total[2:].view_as(loads) / max(counts[1], 1),
        bad_rows=bad.nonzero().flatten().tolist(),
        any_bad=bool(total[1].item()),
    )


def gradient_norm(model: LanguageModel) -> Tensor:
    """Norm of the gradient of all parameters on all ranks, a scalar."""
    return norm(_gradients(model))


def clip(model: LanguageModel, size: Tensor, largest: float) -> None:
    """Scale all gradients, of norm ``size``, to a norm of at most ``largest``; 0 = no limit."""
    if largest > 0:
        scale(_gradients(model), (largest / (size + 1e-6)).clamp(max=1.0))


def _gradients(model: LanguageModel) -> list[Tensor]:
    return [p.grad for p in model.parameters() if p.grad is not None]
