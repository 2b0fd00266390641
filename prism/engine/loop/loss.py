"""The terms of the training loss, and the rows that they are given.

    loss = sum over terms of (sum of the term over the global batch) / (its count over the same)

A term gives the sum of a micro-batch and knows its count before the first forward pass, so any
split of the same rows into ranks and micro-batches has the same gradients, however ragged the
documents are. (A mean of means has not, and neither has a mean per rank.)

A run trains on one main loss, by default :class:`CrossEntropy`, beside that of the symbolic
machines' own answers, where a model gives them (:class:`OwnAnswer`), and the penalties of the model
itself (:class:`ModelPenalties`). Whoever writes another one subclasses :class:`Loss` and hands it
over in an extension (:mod:`prism.engine.extension`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from prism.data import IGNORE, RowBatch
from prism.model.norm import promote
from prism.model.protocol import PrismOutput
from prism.modular.output_penalty import out_of_domain_penalty


@dataclass(frozen=True)
class Rows:
    """Rows of a batch on the device of a rank: all of its rows, or a micro-batch of them.

    Attributes:
        tokens: ``[n, T]`` int64.
        targets: ``[n, T]`` int64, the next token; -100 where there is none to learn.
        segments: ``[n, T]`` int64, number of the document within its stream; negative = padding.
        out_of_domain: ``[n, T]`` bool, True where the token is of a source outside the domain that
            is being trained; None where no source is.
        document: ``[n, T]`` int64, hash of the document's ids; None where the data do not say.
        offset: ``[n, T]`` int64, position of the token in that document; None likewise.
        first: number of the first row among the rows of the rank.
    """

    tokens: Tensor
    targets: Tensor
    segments: Tensor
    out_of_domain: Tensor | None = None
    document: Tensor | None = None
    offset: Tensor | None = None
    first: int = 0

    @classmethod
    def of(cls, batch: RowBatch, device: torch.device) -> Rows:
        """Move ``batch`` to ``device``."""
        whole = cls(
            batch.tokens,
            batch.targets,
            batch.segment_ids,
            batch.out_of_domain,
            batch.document,
            batch.offset,
        )
        return cls(**{k: x.to(device, non_blocking=True) for k, x in whole._tensors().items()})

    def split(self, micro: int) -> list[Rows]:
        """Micro-batches of ``micro`` rows."""
        tensors = self._tensors()
        if len(self.tokens) == micro:
            return [self]
        pieces = zip(*(x.split(micro) for x in tensors.values()), strict=True)
        return [
            Rows(**dict(zip(tensors, piece, strict=True)), first=self.first + i * micro)
            for i, piece in enumerate(pieces)
        ]

    def _tensors(self) -> dict[str, Tensor]:
        """Those that there are."""
        named = ((f.name, getattr(self, f.name)) for f in fields(self))
        return {name: x for name, x in named if isinstance(x, Tensor)}


Ahead = Callable[[], Iterator[tuple[Rows, PrismOutput]]]
Logs = Mapping[str, Tensor]


class Loss(Protocol):
    """One term of the training loss.

    Every rank calls the methods below at the same points, so a term may communicate in
    :meth:`count`. A term with a state of its own keeps it in tensors that a checkpoint holds.
    """

    def count(self, rows: Rows, step: int, ahead: Ahead) -> Tensor:
        """This rank's part of the divisor of the term's sum; a scalar >= 0.

        Called once a step, before the first backward pass. A count of 0 over all ranks divides
        by 1.

        Args:
            rows: all rows of this rank.
            step: steps done, from 0.
            ahead: gives the micro-batches with the outputs of the coming forward passes, for a
                count (or a choice of targets) that depends on them. Free where a rank has one
                micro-batch, else another forward pass without gradient.
        """

    def __call__(
        self, rows: Rows, output: PrismOutput, head: Tensor, step: int
    ) -> tuple[Tensor, Logs]:
        """The sum of the term over a micro-batch, and what to report.

        Args:
            rows: the micro-batch, ``[m, T]``.
            output: of the model; ``output.hidden [m, T, D]`` is what the head was applied to.
            head: ``[V, D]``, weight of the head: ``logits = hidden head^T``.
            step: steps done, from 0.

        Returns:
            The sum of each row ``[m]`` (a row that is not finite is named before the run stops), or
            a scalar; at least fp32. And by name sums without gradient, which are reported as means
            over the valid targets of the global batch; ``loss`` is the cross-entropy in nats.
        """

    def tensors(self) -> dict[str, Tensor]:
        """Tensors for a checkpoint, by name."""
        return {}

    def restore(self, checkpoint: Path) -> None:
        """Read :meth:`tensors` back (:func:`prism.engine.store.checkpoint.load_tensors`)."""


def token_losses(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of each target, ``[n, T]`` nats, at least fp32; 0 where there is none."""
    flat = promote(logits).flatten(0, 1)
    each = functional.cross_entropy(flat, targets.flatten(), ignore_index=IGNORE, reduction="none")
    return each.view_as(targets)


class CrossEntropy(Loss):
    """``-log p(target)``, over the valid targets."""

    def count(self, rows: Rows, step: int, ahead: Ahead) -> Tensor:
        return (rows.targets != IGNORE).sum()

    def __call__(
        self, rows: Rows, output: PrismOutput, head: Tensor, step: int
    ) -> tuple[Tensor, Logs]:
        sums = token_losses(output.logits, rows.targets).sum(dim=1)
        return sums, {"loss": sums.detach()}


class OwnAnswer(Loss):
    """Cross-entropy of what the symbolic machines answer by themselves
    (:mod:`prism.model.symbolic.answer`), added up over the machines, over the valid targets:
    nothing else trains them. 0 for a model whose machines give no answer."""

    def count(self, rows: Rows, step: int, ahead: Ahead) -> Tensor:
        return (rows.targets != IGNORE).sum()

    def __call__(
        self, rows: Rows, output: PrismOutput, head: Tensor, step: int
    ) -> tuple[Tensor, Logs]:
        if output.own is None:
            return output.logits.new_zeros(()), {}
        each = [token_losses(own, rows.targets).sum(dim=1) for own in output.own]
        return sum(each[1:], each[0]), {}


class ModelPenalties(Loss):
    """Penalties of the model itself, over the real tokens: its ``aux_loss``, and the rest of the
    output-norm penalty of out-of-domain tokens (:mod:`prism.modular.output_penalty`)."""

    def count(self, rows: Rows, step: int, ahead: Ahead) -> Tensor:
        return (rows.segments >= 0).sum()

    def __call__(
        self, rows: Rows, output: PrismOutput, head: Tensor, step: int
    ) -> tuple[Tensor, Logs]:
        real = rows.segments >= 0
        total = output.aux_loss * real.sum()
        if rows.out_of_domain is not None and output.penalty is not None:
            total = total + out_of_domain_penalty(output.penalty, rows.out_of_domain & real).sum()
        return total, {}
