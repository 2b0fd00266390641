"""Token selection: training on chosen targets, where some of the text is noise.

A share of the text is overwritten by spans of random bytes, in training only. The measure is the
loss on clean held-out text, every target weighing the same. Arms:

    all tokens       nothing is chosen
    excess           the share of targets whose loss exceeds a reference's most (Rho-1, arXiv
                     2404.07965); the reference is a small model that was trained on clean text
    excess, stage    the same, the reference being a small model trained on the *noisy* text: what
                     an earlier stage of a growing run would give for nothing
    recycling        hard tokens weigh more, by how hard they are for their own kind
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks.levers.loop import (
    Learner,
    Weigh,
    begin,
    budgets,
    ends,
    held_out_loss,
    token_losses,
    train_whole,
)
from benchmarks.levers.runs import Row, Runs, every_seed, tuned_arms
from benchmarks.levers.text import VOCABULARY, Batches, Text, TextShape, config
from prism.data import RowBatch
from prism.data.document import IGNORE
from prism.data.order import mix64
from prism.engine.cost.flops import count
from prism.engine.levers.token_rules import RecyclingWeights, excess_weights
from prism.model.protocol import LanguageModel

ALL, EXCESS, STAGE, RECYCLING = "all tokens", "excess", "excess, stage", "recycling"
ARMS = (ALL, EXCESS, STAGE, RECYCLING)


@dataclass(frozen=True)
class SelectionSizes:
    """Sizes to measure at.

    Attributes:
        config, reference: of the model and of the reference, as ``PrismConfig.to_dict`` gives them.
        steps: of every arm, and ``reference_steps`` of the reference.
        shares: of the steps, after which the arms that choose are shown; the last is 1.
        noise: share of the bytes that is overwritten, ``span`` at a time.
        kept: share of the targets that is trained on.
    """

    config: dict[str, Any]
    reference: dict[str, Any]
    shape: TextShape
    steps: int
    reference_steps: int
    reference_rate: float
    warm_up: int
    shares: tuple[float, ...]
    decay_share: float
    noise: float
    span: int
    kept: float
    rates: tuple[float, ...]
    tuning_seed: int


SIZES = {
    "full": SelectionSizes(
        config=config(128, 4),
        reference=config(64, 2),
        shape=TextShape(rows=8, length=128, held_out=2**14),
        steps=400,
        reference_steps=400,
        reference_rate=0.004,
        warm_up=40,
        shares=(0.5, 0.75, 1.0),
        decay_share=0.25,
        noise=0.3,
        span=16,
        kept=0.6,
        rates=(0.0015, 0.003, 0.006),
        tuning_seed=1000,
    ),
    "quick": SelectionSizes(
        config=config(16, 1),
        reference=config(8, 1),
        shape=TextShape(rows=2, length=16, held_out=256),
        steps=8,
        reference_steps=4,
        reference_rate=0.005,
        warm_up=2,
        shares=(0.5, 1.0),
        decay_share=0.25,
        noise=0.3,
        span=4,
        kept=0.6,
        rates=(0.01,),
        tuning_seed=1000,
    ),
}


def measure(text: Text, sizes: SelectionSizes, runs: Runs, seeds: int) -> None:
    """All runs, tuning first, then seed by seed."""
    bench = Selection(text, sizes)
    rates = tuned_arms(
        runs,
        ARMS,
        list(sizes.rates),
        lambda arm, rate: bench.run(arm, sizes.tuning_seed, rate, (1.0,)),
    )
    every_seed(
        runs,
        rates,
        seeds,
        lambda arm, rate, seed: bench.run(arm, seed, rate, (1.0,) if arm == ALL else sizes.shares),
    )


class Selection:
    """The runs; the references of one seed are kept."""

    def __init__(self, text: Text, sizes: SelectionSizes) -> None:
        self._text, self._sizes = text, sizes
        self._held_out = text.held_out(sizes.shape)
        self._references: dict[tuple[int, bool], Learner] = {}

    def run(self, arm: str, seed: int, rate: float, shares: tuple[float, ...]) -> Row:
        """One arm: ``loss`` at the end, ``ends`` at all shares, ``reference`` and what it cost."""
        s = self._sizes
        batches = self._noisy(seed)
        learner = begin(s.config, seed, "model", rate, s)
        weigh, row = None, {}
        if arm in (EXCESS, STAGE):
            reference = self._reference(seed, clean=arm == EXCESS)
            weigh = excess(reference.model, s.kept)
            # choosing reads every token once with the reference, forward only
            learner.flops_per_token += count(reference.model, s.shape.length).training / 3
            loss = held_out_loss(reference.model, self._held_out)
            row["reference"] = {"loss": loss, "flops": reference.flops}
        elif arm == RECYCLING:
            weigh = recycling()
        plan = budgets(shares, s.steps, 0, s.decay_share)
        rows = ends(learner, batches, self._held_out, plan, weigh)
        return {"loss": rows[-1]["loss"], "ends": rows, **row}

    def _noisy(self, seed: int) -> Batches:
        s = self._sizes
        clean = self._text.batches(s.shape, seed)
        return lambda step: noisy(clean(step), s.noise, s.span, mix64(seed, step))

    def _reference(self, seed: int, clean: bool) -> Learner:
        """A small model, trained on a stream of its own."""
        if (seed, clean) not in self._references:
            s, stream = self._sizes, mix64(seed, 1) % 2**31
            batches = self._text.batches(s.shape, stream) if clean else self._noisy(stream)
            learner = begin(s.reference, seed, "reference", s.reference_rate, s)
            train_whole(learner, batches, s.reference_steps, s.decay_share)
            self._references = {k: v for k, v in self._references.items() if k[0] == seed}
            self._references[seed, clean] = learner
        return self._references[seed, clean]


def noisy(batch: RowBatch, share: float, span: int, seed: int) -> RowBatch:
    """``batch`` with about ``share`` of its bytes, whole spans, overwritten by random ones.

    A byte is the same as input and as target; where a document ends stays as it is.
    """
    g = torch.Generator().manual_seed(seed % 2**63)
    rows, length = batch.tokens.shape
    begins = torch.rand(rows, length, generator=g) < 1 - (1 - share) ** (1 / span)
    since = torch.nn.functional.pad(begins.long().cumsum(dim=1), (span, 0))
    hit = (since[:, span:] - since[:, :-span] > 0) & (batch.tokens < 256)
    drawn = torch.randint(256, (rows, length), generator=g)
    tokens = torch.where(hit, drawn, batch.tokens)
    targets = batch.targets.clone()
    follows = hit[:, 1:] & (batch.targets[:, :-1] != IGNORE)
    targets[:, :-1] = torch.where(follows, tokens[:, 1:], batch.targets[:, :-1])
    return dataclasses.replace(batch, tokens=tokens, targets=targets)


def excess(reference: LanguageModel, kept: float) -> Weigh:
    """Train on the ``kept`` share of the targets that ``reference`` finds easier."""
    reference.eval()

    @torch.no_grad()
    def weigh(losses: Tensor, batch: RowBatch) -> Tensor:
        logits = reference(batch.tokens, segment_ids=batch.segment_ids).logits
        valid = batch.targets != IGNORE
        weights = excess_weights(losses, token_losses(logits, batch.targets), valid, kept)
        return weights * valid.sum() / weights.sum()

    return weigh


def recycling() -> Weigh:
    """Weigh targets by how hard they are for their own kind, as of the steps before."""
    statistics = RecyclingWeights(VOCABULARY)

    def weigh(losses: Tensor, batch: RowBatch) -> Tensor:
        valid = batch.targets != IGNORE
        weights = statistics.weights(losses, batch.targets, valid)
        statistics.update(losses, batch.targets, valid)
        return weights

    return weigh
