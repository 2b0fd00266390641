"""Token weights in a step that is spread over ranks and micro-batches.

The rules of :mod:`prism.engine.levers.selection` compare all targets of the global batch, so the
losses of all lanes are gathered on every rank first; each computes the same weights from the same
numbers in the order of lanes and takes its own rows. Which targets are chosen therefore does not
depend on how the rows are spread. That takes losses before the first backward pass: those of the
forward pass itself where a rank has one micro-batch, else of one more forward pass without
gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from prism.data.document import IGNORE
from prism.engine.levers.selection import RecyclingWeights, excess_weights, parse_share
from prism.engine.loop import lanes_state
from prism.engine.loop.lanes_state import LaneStates
from prism.engine.parallel.world import World
from prism.engine.settings import Settings
from prism.engine.store import checkpoint
from prism.model.norm import promote
from prism.model.protocol import LanguageModel


@dataclass(frozen=True)
class Weights:
    """Weights of a global batch.

    Attributes:
        mine: ``[n, T]`` of this rank's rows.
        total: their sum over all ranks.
        share: how many targets count, ``(sum w)^2 / (targets * sum w^2)``: the share that is
            trained on where weights are 0 or 1, below 1 also where they are merely unequal.
    """

    mine: Tensor
    total: float
    share: float


class Weighting(Protocol):
    """A rule that gives the targets of each step their weights."""

    def __call__(self, tokens: Tensor, segments: Tensor, targets: Tensor, loss: Tensor) -> Weights:
        """Weights of this rank's rows, once a step; every rank must call this.

        Args:
            tokens: ``[n, T]`` int64.
            segments: ``[n, T]`` document of each token, negative = padding.
            targets: ``[n, T]`` int64, -100 = none.
            loss: ``[n, T]`` nats, of the model, without gradient.
        """

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint has to hold, by name."""

    def restore(self, start: Path, carries: bool) -> None:
        """Read it back; ``carries``: whether the checkpoint holds states of lanes."""


def token_losses(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of each target, ``[n, T]`` nats, at least fp32; 0 where there is none."""
    flat = promote(logits).flatten(0, 1)
    each = functional.cross_entropy(flat, targets.flatten(), ignore_index=IGNORE, reduction="none")
    return each.view_as(targets)


class Excess:
    """The targets that a reference finds easier by most.

    Args:
        reference: reads the same rows without gradients, carrying states of its own.
        share: of the targets to keep.
        states: of the reference, for the lanes of this rank.
        w: the ranks.
    """

    def __init__(
        self, reference: LanguageModel, share: float, states: LaneStates, w: World
    ) -> None:
        self.reference, self.share, self.states, self.w = reference, share, states, w

    def __call__(self, tokens: Tensor, segments: Tensor, targets: Tensor, loss: Tensor) -> Weights:
        rows = [x.split(self.states.micro) for x in (tokens, segments, targets)]
        found = []
        with torch.no_grad():
            for i, (read, where, aims) in enumerate(zip(*rows, strict=True)):
                output = self.reference(read, state=self.states.states[i], segment_ids=where)
                self.states.keep(i, output.state)
                found.append(token_losses(output.logits, aims))
        lanes = self.states.lanes
        everywhere = [gathered(x, lanes, self.w) for x in (loss, torch.cat(found))]
        valid = gathered(targets, lanes, self.w) != IGNORE
        weights = excess_weights(*everywhere, valid, self.share)
        return _of_rank(weights, valid, lanes)

    def tensors(self) -> dict[str, Tensor]:
        if not self.states.started:
            return {}
        return {_of_reference(name): x for name, x in self.states.tensors().items()}

    def restore(self, start: Path, carries: bool) -> None:
        if not (carries and self.states.carry):
            return
        template = lanes_state.template(self.reference, self.w.device)
        self.reference.eval()
        rows = lanes_state.empty_rows(self.states.lanes, template)
        checkpoint.load_tensors(start, {_of_reference(name): x for name, x in rows.items()})
        self.states.load(rows, template)


class Recycling:
    """The targets that are hard for their kind.

    Args:
        vocab_size: V.
        lanes: of this rank.
        w: the ranks.
    """

    def __init__(self, vocab_size: int, lanes: Sequence[int], w: World) -> None:
        self.rule, self.lanes, self.w = RecyclingWeights(vocab_size), lanes, w

    def __call__(self, tokens: Tensor, segments: Tensor, targets: Tensor, loss: Tensor) -> Weights:
        losses = gathered(loss, self.lanes, self.w).cpu()
        aims = gathered(targets, self.lanes, self.w).cpu()
        valid = aims != IGNORE
        weights = self.rule.weights(losses, aims, valid)
        self.rule.update(losses, aims, valid)
        return _of_rank(weights.to(loss.device), valid, self.lanes)

    def tensors(self) -> dict[str, Tensor]:
        return {"recycling.sums": self.rule.sums}

    def restore(self, start: Path, carries: bool) -> None:
        checkpoint.load_tensors(start, self.tensors())


def weighting(
    s: Settings, vocab_size: int, reference: LanguageModel | None, states: LaneStates, w: World
) -> Weighting | None:
    """The rule of ``--token-selection`` or ``--token-recycling``; None without.

    Args:
        vocab_size: V.
        reference: of ``--token-selection``, on its device.
        states: of the model; the reference carries its own likewise, if they have a fixed size.
    """
    if s.token_recycling:
        return Recycling(vocab_size, states.lanes, w)
    if s.token_selection is None or reference is None:
        return None
    fixed = reference.state_bytes(2) == reference.state_bytes(1)
    own = LaneStates(states.lanes, states.micro, states.carry and fixed)
    return Excess(reference, parse_share(s.token_selection), own, w)


def gathered(rows: Tensor, lanes: Sequence[int], w: World) -> Tensor:
    """The rows of all lanes of the global batch, in their order, on every rank.

    Args:
        rows: ``[n, T]``, of the lanes of this rank.
        lanes: their n numbers.

    Returns:
        ``[n * ranks, T]``.
    """
    everywhere = rows.new_zeros(len(lanes) * w.size, rows.shape[1])
    everywhere[list(lanes)] = rows
    return w.sum(everywhere)


def _of_rank(weights: Tensor, valid: Tensor, lanes: Sequence[int]) -> Weights:
    total, squares = weights.double().sum().item(), weights.double().square().sum().item()
    share = total**2 / (squares * max(int(valid.sum()), 1)) if squares > 0 else 0.0
    return Weights(weights[list(lanes)], total, share)


def _of_reference(name: str) -> str:
    return f"reference.{name}"
