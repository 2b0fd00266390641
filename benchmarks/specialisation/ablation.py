"""Ablation of a kind of expert where the router chooses it, and where it does not.

A *decision* is one token in one layer; the kind with the largest probability wins it. That is
asked per layer, not of a mean over layers, because it is in a layer that a router decides: the
mean mixes decisions that nobody made, and can leave a kind that wins every token of one layer
without a single win. For one kind, ``n`` of the decisions that it wins and ``n`` of those that it
does not are drawn at random, equally many so that neither set can saturate first, and its weight
is set to 0 there, in all layers at once; state updates go on untouched:

    harm(S) = (loss with the kind off at S - loss) * scored positions / n      nats per decision
    ratio   = harm(won) / harm(others)

1 would mean that the router's choice is unrelated to what a kind is for. Harm is counted where
it shows, at any later scored position. Read over all tokens a ratio can be large because a kind
wins the tokens that matter to the task at all; so it is also measured with the draw restricted to
scored positions, which all matter.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from prism.compare.training import NOT_SCORED, scored_loss
from prism.model.prism import Prism
from prism.model.router import Decision, Router

LEAST = 64  # decisions on either side, below which a ratio would be noise


@dataclass(frozen=True)
class RoutedBatch:
    """Test sequences and the routing decisions on them.

    Attributes:
        tokens, targets: ``[B, T]``.
        loss: nats per scored position.
        won: by kind, ``[L, B, T]`` True where it wins.
        held: by kind, ``[L]`` True for the layers that hold it.
    """

    tokens: Tensor
    targets: Tensor
    loss: float
    won: dict[str, Tensor]
    held: dict[str, Tensor]


@torch.no_grad()
def routed(model: Prism, tokens: Tensor, targets: Tensor) -> RoutedBatch:
    """Run ``model`` on ``tokens [B, T]`` and note which kind wins each decision."""
    model.eval()
    output = model(tokens, routing=True)
    won, held = {}, {}
    for kind in model.config.expert_kinds:
        layers = [_wins(routing.kinds, routing.probability, kind) for routing in output.routing]
        won[kind] = torch.stack(layers)
        held[kind] = torch.tensor([kind in routing.kinds for routing in output.routing])
    return RoutedBatch(tokens, targets, float(scored_loss(output.logits, targets)), won, held)


def _wins(kinds: Sequence[str], probability: Tensor, kind: str) -> Tensor:
    """``[B, T]`` True where ``kind`` has the largest of ``probability [B, T, E]``."""
    winner = probability.argmax(dim=-1)
    return winner == kinds.index(kind) if kind in kinds else torch.zeros_like(winner).bool()


@contextmanager
def without(model: Prism, kind: str, where: Tensor) -> Iterator[None]:
    """Inside, the weight of ``kind`` is 0 at the decisions ``where [L, B, T]``."""

    def hook(off: Tensor, router: Router, args: Any, decision: Decision) -> Decision:
        column = torch.tensor([name == kind for name in router.kinds])
        weight = decision.weight.masked_fill(off[..., None] & column, 0.0)
        return dataclasses.replace(decision, weight=weight)

    handles = [
        block.router.register_forward_hook(
            lambda router, args, decision, off=off: hook(off, router, args, decision)
        )
        for block, off in zip(model.blocks, where, strict=True)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def specialisation(
    model: Prism, batch: RoutedBatch, kind: str, scored_only: bool, draws: int, seed: int
) -> dict[str, Any]:
    """Harm of switching ``kind`` off where it wins and where it does not.

    Args:
        scored_only: draw decisions at scored positions only.
        draws: random sets of decisions to average over.

    Returns:
        ``kind, where, wins`` (share of the decisions that it could win), ``decisions`` (n),
        ``harm_won, harm_others`` (nats per decision) and ``ratio``; None for what cannot be
        said, because there are fewer than ``LEAST`` decisions on a side or (ratio) because
        switching it off elsewhere does no harm.
    """
    eligible = batch.held[kind][:, None, None].expand_as(batch.won[kind])
    if scored_only:
        eligible = eligible & (batch.targets != NOT_SCORED)
    won, others = eligible & batch.won[kind], eligible & ~batch.won[kind]
    n = int(min(won.sum(), others.sum()))
    row: dict[str, Any] = {"kind": kind, "where": "scored" if scored_only else "all"}
    row |= {"wins": float(won.sum() / eligible.sum().clamp(min=1)), "decisions": n}
    if n < LEAST:
        return row | {"harm_won": None, "harm_others": None, "ratio": None}
    generator = torch.Generator().manual_seed(seed)
    at_won, at_others = (
        sum(_harm(model, batch, kind, _draw(among, n, generator)) for _ in range(draws)) / draws
        for among in (won, others)
    )
    ratio = at_won / at_others if at_others > 0 else None
    return row | {"harm_won": at_won, "harm_others": at_others, "ratio": ratio}


@torch.no_grad()
def _harm(model: Prism, batch: RoutedBatch, kind: str, where: Tensor) -> float:
    """Nats lost in total per decision of ``where [L, B, T]``."""
    with without(model, kind, where):
        loss = float(scored_loss(model(batch.tokens).logits, batch.targets))
    scored = int((batch.targets != NOT_SCORED).sum())
    return (loss - batch.loss) * scored / int(where.sum())


def _draw(among: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """``n`` of the True entries of ``among``, as a mask of its shape."""
    places = among.flatten().nonzero().squeeze(-1)
    taken = places[torch.randperm(len(places), generator=generator)[:n]]
    mask = torch.zeros(among.numel(), dtype=torch.bool)
    mask[taken] = True
    return mask.view_as(among)
