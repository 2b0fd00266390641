"""Curriculum: more of the wanted text while the learning rate decays.

The last source of the mix is the skill, the others are elsewhere. Rows of a batch are of the one or
the other, drawn with the shares that the curriculum has at that point of the run. Arms:

    constant     ``share`` of the tokens are of the skill, all the time
    annealed     the same, but more of them while the rate decays
    spread       a constant share with as many tokens of the skill in all as annealed: what is left
                 of the gain is due to *when* they are read

How much more is tuned, as rates are, on seeds that are used for tuning only: the largest share of a
few that costs at most ``COST`` elsewhere, else the least of them. More helps the skill and harms
the rest. Rates are those that are best at the largest share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch

from benchmarks.levers.loop import begin, held_out_loss, train_whole
from benchmarks.levers.runs import Row, Runs, at_one_rate, every_seed, tuned_arms
from benchmarks.levers.text import Text, TextShape, config, taken
from prism.data import Curriculum, Mix, RowBatch
from prism.data.order import mix64

SKILL, ELSEWHERE = "skill", "elsewhere"
CONSTANT, SPREAD, ANNEALED = "constant", "spread", "annealed"
ARMS = (CONSTANT, SPREAD, ANNEALED)
SHARE = "share"  # the phase in which the share is tuned
COST = 0.01  # nats elsewhere that a skill may cost


@dataclass(frozen=True)
class CurriculumSizes:
    """Sizes to measure at.

    Attributes:
        config: of the model, as ``PrismConfig.to_dict`` gives it.
        share: of the skill's tokens, and ``annealed``, their shares while the rate decays that are
            tried, ascending.
        decay_share: of the run.
        tuning_seeds: the share is tuned on all, rates on the first and at the largest share.
    """

    config: dict[str, Any]
    shape: TextShape
    steps: int
    warm_up: int
    decay_share: float
    share: float
    annealed: tuple[float, ...]
    rates: tuple[float, ...]
    tuning_seeds: tuple[int, ...]


SIZES = {
    "full": CurriculumSizes(
        config=config(128, 4),
        shape=TextShape(rows=8, length=128, held_out=2**14),
        steps=400,
        warm_up=40,
        decay_share=0.25,
        share=0.1,
        annealed=(0.2, 0.25, 0.3, 0.5),
        rates=(0.0015, 0.003, 0.006),
        tuning_seeds=(1000, 1001, 1002),
    ),
    "quick": CurriculumSizes(
        config=config(16, 1),
        shape=TextShape(rows=2, length=16, held_out=256),
        steps=8,
        warm_up=2,
        decay_share=0.25,
        share=0.2,
        annealed=(0.3, 0.5),
        rates=(0.01,),
        tuning_seeds=(1000,),
    ),
}


def measure(text: Text, sizes: CurriculumSizes, runs: Runs, seeds: int) -> None:
    """All runs, tuning first, then seed by seed.

    Raises:
        ValueError: the mix has one source only.
    """
    domains = divided(text)
    held_out = {name: part.held_out(sizes.shape) for name, part in domains.items()}

    def one(arm: str, rate: float, seed: int, annealed: float) -> Row:
        return run(arm, seed, rate, annealed, domains, held_out, sizes)

    first, most = sizes.tuning_seeds[0], sizes.annealed[-1]
    rates = tuned_arms(runs, ARMS, list(sizes.rates), lambda arm, rate: one(arm, rate, first, most))
    for seed in sizes.tuning_seeds:
        for arm, share in ((CONSTANT, most), *((ANNEALED, share) for share in sizes.annealed)):
            runs.once(
                {"phase": SHARE, "arm": arm, "seed": seed, "lr": rates[arm], **late(arm, share)},
                lambda arm=arm, seed=seed, share=share: one(arm, rates[arm], seed, share),
            )
    best = affordable(above_constant(runs.runs, ELSEWHERE))
    every_seed(
        runs,
        rates,
        seeds,
        lambda arm, rate, seed: one(arm, rate, seed, best),
        lambda arm: late(arm, best),
    )


def late(arm: str, annealed: float) -> dict[str, float]:
    """Entry of the key of a run for the share in the end; constant has none."""
    return {} if arm == CONSTANT else {"annealed": annealed}


def above_constant(rows: Sequence[Row], domain: str) -> dict[float, float]:
    """By annealed share, ascending, its loss on ``domain`` above constant, mean of the tuning
    seeds.

    Raises:
        ValueError: an arm has runs at two rates, as when rates are added to a search that was over.
    """
    tried = [row for row in rows if row["phase"] == SHARE]
    for arm in (CONSTANT, ANNEALED):
        at_one_rate(arm, [row for row in tried if row["arm"] == arm])
    base = {row["seed"]: row["domains"][domain] for row in tried if row["arm"] == CONSTANT}
    gaps: dict[float, list[float]] = {}
    for row in tried:
        if row["arm"] == ANNEALED:
            gap = row["domains"][domain] - base[row["seed"]]
            gaps.setdefault(row["annealed"], []).append(gap)
    return {share: fmean(gaps[share]) for share in sorted(gaps)}


def affordable(costs: Mapping[float, float]) -> float:
    """The largest share that costs at most ``COST``; the least of all if none does."""
    return max((share for share, cost in costs.items() if cost <= COST), default=min(costs))


def divided(text: Text) -> dict[str, Text]:
    """The skill, which is the last source of the mix, and the rest.

    Raises:
        ValueError: there is no rest.
    """
    *others, last = text.mix.sources
    if not others:
        raise ValueError(
            f"--data: has one source, {last.source.name}; the curriculum needs at least two, the "
            "last of which is the skill"
        )
    held_out = text.mix.held_out
    return {
        SKILL: Text(Mix((last,), held_out), SKILL),
        ELSEWHERE: Text(Mix(tuple(others), held_out), ELSEWHERE),
    }


def curriculum(arm: str, annealed: float, sizes: CurriculumSizes) -> Curriculum:
    """Shares of skill and elsewhere over the run, where *annealed* goes up to ``annealed``."""
    base = {SKILL: sizes.share, ELSEWHERE: 1 - sizes.share}
    begin = 1 - sizes.decay_share
    points = ((begin, sizes.share), (min(1.0, begin + 1e-6), annealed))
    if arm == ANNEALED:
        return Curriculum(base, {SKILL: points})
    if arm == SPREAD:
        share = Curriculum(base, {SKILL: points}).tokens(0, sizes.steps, sizes.steps)[SKILL]
        return Curriculum(base, {SKILL: ((0.0, share / sizes.steps),)})
    return Curriculum(base)


def run(
    arm: str,
    seed: int,
    rate: float,
    annealed: float,
    domains: dict[str, Text],
    held_out: dict[str, list[RowBatch]],
    sizes: CurriculumSizes,
) -> Row:
    """One arm: ``loss`` the mean over both domains, ``domains`` each, ``skill_tokens`` read."""
    streams = {name: text.batches(sizes.shape, seed) for name, text in domains.items()}
    shares, skill_rows = curriculum(arm, annealed, sizes), 0

    def batches(step: int) -> RowBatch:
        nonlocal skill_rows
        share = shares.weights(step / sizes.steps)[SKILL]
        g = torch.Generator().manual_seed(mix64(seed, step) % 2**63)
        skill = torch.rand(sizes.shape.rows, generator=g) < share
        skill_rows += int(skill.sum())
        return chosen(streams[SKILL](step), streams[ELSEWHERE](step), skill)

    learner = begin(sizes.config, seed, "model", rate, sizes)
    train_whole(learner, batches, sizes.steps, sizes.decay_share)
    losses = {name: held_out_loss(learner.model, rows) for name, rows in held_out.items()}
    row = {"loss": fmean(losses.values()), "domains": losses, "tokens": learner.tokens}
    return row | {"flops": learner.flops, "skill_tokens": skill_rows * sizes.shape.length}


def chosen(first: RowBatch, second: RowBatch, take: torch.Tensor) -> RowBatch:
    """Rows of ``first`` where ``take [n]``, of ``second`` elsewhere."""
    rows = len(take)
    (batch,) = taken([first, second], [torch.arange(rows) + rows * ~take])
    return batch
