"""Growth: scratch against five ways to grow, each at its best rate, fully decayed.

A budget is time. The seconds of one step are measured for every size in turn, so that whatever else
the machine does falls on all sizes alike; the time of a run is its steps times these seconds, the
small stage and the growing itself included. Arms that grow spend ``small_share`` of every budget in
the small model. ``shallow`` never grows: the small model alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

from benchmarks.levers.loop import Budget, Learner, begin, budgets, ends, stay, train_step
from benchmarks.levers.operators import Losses, Silent, grown
from benchmarks.levers.runs import Row, Runs, tuned_arms
from benchmarks.levers.text import Batches, Text, TextShape, config
from benchmarks.page.timing import in_turns
from prism import PrismConfig

TARGET, NARROW, SHALLOW = "target", "narrow", "shallow"
GROWN = {  # arm: (small stage, operator)
    "exact depth": (SHALLOW, "exact"),
    "stack": (SHALLOW, "stack"),
    "random depth": (SHALLOW, "random"),
    "exact width": (NARROW, "exact"),
    "padded width": (NARROW, "pad"),
}
ARMS = ("scratch", SHALLOW, *GROWN)
WATCHED = 2  # held-out batches that are read at every look


@dataclass(frozen=True)
class GrowthSizes:
    """Sizes to measure at.

    Attributes:
        configs: by ``target, narrow, shallow``, as ``PrismConfig.to_dict`` gives them.
        steps: of scratch, all budgets are shares of their time.
        shares: budgets of the arms that grow; the last is 1.
        tuning_share: budget at which their rates are compared.
        small_share: of every budget, spent in the small model.
        decay_share: of every budget.
        watched: steps after growing in which the loss is watched.
        rounds: of measuring the seconds of a step.
    """

    configs: dict[str, dict[str, Any]]
    shape: TextShape
    steps: int
    warm_up: int
    shares: tuple[float, ...]
    tuning_share: float
    small_share: float
    decay_share: float
    watched: int
    rounds: int
    rates: tuple[float, ...]
    tuning_seed: int

    def __post_init__(self) -> None:
        left = round(self.steps * self.shares[-1] * (1 - self.small_share - self.decay_share))
        if left < self.watched:
            raise ValueError(f"watched = {self.watched}: must be <= {left}, the steps at full rate")


SIZES = {
    "full": GrowthSizes(
        configs={TARGET: config(96, 6), NARROW: config(48, 6), SHALLOW: config(96, 2)},
        shape=TextShape(rows=8, length=128, held_out=2**14),
        steps=1000,
        warm_up=60,
        shares=(0.7, 1.0),
        tuning_share=0.7,
        small_share=0.65,
        decay_share=0.25,
        watched=100,
        rounds=15,
        rates=(0.002, 0.004, 0.008),
        tuning_seed=1000,
    ),
    "quick": GrowthSizes(
        configs={TARGET: config(16, 2), NARROW: config(8, 2), SHALLOW: config(16, 1)},
        shape=TextShape(rows=2, length=16, held_out=256),
        steps=8,
        warm_up=2,
        shares=(0.6, 1.0),
        tuning_share=1.0,
        small_share=0.2,
        decay_share=0.25,
        watched=4,
        rounds=1,
        rates=(0.01,),
        tuning_seed=1000,
    ),
}


def measure(text: Text, sizes: GrowthSizes, runs: Runs, seeds: int) -> None:
    """All runs, tuning first, then seed by seed."""
    bench = Growth(text, sizes)
    first = sizes.tuning_seed
    clock = runs.once({"phase": "clock", "seed": first}, lambda: bench.clock(first))["seconds"]

    def shares(arm: str, grown: tuple[float, ...]) -> tuple[float, ...]:
        return grown if arm in GROWN else (1.0,)

    rates = tuned_arms(
        runs,
        ARMS,
        list(sizes.rates),
        lambda arm, rate: bench.run(arm, first, rate, clock, shares(arm, (sizes.tuning_share,))),
    )
    for seed in range(seeds):
        runs.once({"phase": "clock", "seed": seed}, lambda seed=seed: bench.clock(seed))
        for arm in ARMS:
            runs.once(
                {"phase": "final", "arm": arm, "seed": seed, "lr": rates[arm]},
                lambda arm=arm, seed=seed: bench.run(
                    arm, seed, rates[arm], clock, shares(arm, sizes.shares), watch=True
                ),
            )


class Growth:
    """The runs; small stages are kept while the arms of one seed and rate share them."""

    def __init__(self, text: Text, sizes: GrowthSizes) -> None:
        self._text, self._sizes = text, sizes
        self._held_out = text.held_out(sizes.shape)
        self._watched = self._held_out[:WATCHED]
        self._streams: dict[int, Batches] = {}
        self._stages: dict[tuple[str, int, float], dict[int, Learner]] = {}

    def clock(self, seed: int) -> Row:
        """CPU seconds of a step by size, the sizes taking turns; the median of many."""
        learners = [self._new(size, seed, 0.001) for size in (TARGET, NARROW, SHALLOW)]
        batch = self._batches(seed)(0)
        steps = {one.size: partial(train_step, one, batch, one.peak) for one in learners}
        taken = in_turns(steps, self._sizes.rounds, warm_up=0, clock=time.process_time)
        parameters = {learner.size: learner.model.num_parameters() for learner in learners}
        seconds = {size: median(times) for size, times in taken.items()}
        return {"seconds": seconds, "parameters": parameters}

    def run(
        self,
        arm: str,
        seed: int,
        rate: float,
        clock: dict[str, float],
        shares: Sequence[float],
        watch: bool = False,
    ) -> Row:
        """One arm: ``loss`` at the last budget, ``ends`` at all, ``growth`` where it grew."""
        if arm not in GROWN:
            size = TARGET if arm == "scratch" else arm
            learner = self._new(size, seed, rate)
            plan = self._plan(shares, clock[TARGET] / clock[size], 0)
            rows = ends(learner, self._batches(seed), self._held_out, plan)
            return {"loss": rows[-1]["loss"], "ends": rows}
        rows = []
        for share in shares:  # the last is watched
            row, report = self._end(arm, seed, rate, clock, share, watch and share == shares[-1])
            rows.append(row)
        return {"loss": rows[-1]["loss"], "ends": rows, "growth": report}

    def _end(
        self, arm: str, seed: int, rate: float, clock: dict[str, float], share: float, watch: bool
    ) -> tuple[Row, Row]:
        """The end of one budget, and what growing was like."""
        s, batches = self._sizes, self._batches(seed)
        small, operator = GROWN[arm]
        spent = s.small_share * share * s.steps  # in steps of the target
        stage = self._stage(small, seed, rate, round(spent * clock[TARGET] / clock[small]))
        begin = time.process_time()
        target = PrismConfig.from_dict(s.configs[TARGET] | {"seed": seed})
        learner, new = grown(stage, target, TARGET, operator, s.shape.length)
        report: Row = {"seconds": time.process_time() - begin}
        plan = self._plan((share,), 1.0, round(spent))
        if not watch:
            (row,) = ends(learner, batches, self._held_out, plan)
            return row, report
        losses, silent = Losses(stage, self._watched, s.watched), Silent(new, stage.step)
        losses.look(learner)

        def looks(now: Learner) -> None:
            losses(now)
            silent(now)

        (row,) = ends(learner, batches, self._held_out, plan, watch=looks)
        report |= {"new": silent.new, "dead": silent.dead, "before": losses.before}
        report |= {"looks": losses.seen, "ungrown": self._ungrown(stage, batches)}
        return row, report

    def _ungrown(self, stage: Learner, batches: Batches) -> list[float]:
        """The same looks at the small model trained on: fluctuation under a constant rate."""
        losses = Losses(stage, self._watched, self._sizes.watched)
        losses.look(stage)
        stay(stage.branch(), batches, stage.step + self._sizes.watched, watch=losses)
        return losses.seen

    def _plan(self, shares: Sequence[float], cheaper: float, spent: int) -> list[Budget]:
        total = round(self._sizes.steps * cheaper)
        return budgets(shares, total, spent, self._sizes.decay_share)

    def _stage(self, small: str, seed: int, rate: float, steps: int) -> Learner:
        """The small model after ``steps`` at a constant rate, shared by the arms that begin so."""
        known = self._stages.setdefault((small, seed, rate), {})
        if steps not in known:
            before = max((done for done in known if done < steps), default=None)
            learner = self._new(small, seed, rate) if before is None else known[before].branch()
            stay(learner, self._batches(seed), steps)
            known[steps] = learner
        return known[steps]

    def _batches(self, seed: int) -> Batches:
        if seed not in self._streams:
            self._streams = {seed: self._text.batches(self._sizes.shape, seed)}
            self._stages = {}
        return self._streams[seed]

    def _new(self, size: str, seed: int, rate: float) -> Learner:
        return begin(self._sizes.configs[size], seed, size, rate, self._sizes)
