"""Criteria 1 to 5, on the quality that the runs of a comparison reached.

*Ahead* means that PRISM's 95% interval lies on the better side of each baseline's, without
touching; *behind* is the opposite. In between the seeds do not decide. A criterion that names a
number of steps is judged at that number only, and every one on at least ``SEEDS`` seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.page.criterion import NOT_MEASURED, Criterion
from prism.compare.statistics import Estimate, estimate, paired_difference, winner
from prism.compare.summary import OURS, TaskSummary, number, summarise
from prism.compare.training import HIGHER_IS_BETTER

BASELINES = ("transformer", "ssm", "gdn")
SEEDS = 5
SPARSE_TOLERANCE = 0.01

Verdict = tuple[str, bool | None]


@dataclass(frozen=True)
class Question:
    """A criterion to be judged: ``judge(summary, *limits)`` gives what was reached and whether that
    is enough. ``steps`` None = any number."""

    number: str
    task: str
    asks: str
    steps: int | None
    judge: Callable[..., Verdict]
    limits: tuple[float, ...] = ()

    def answer(self, summary: TaskSummary | None) -> Criterion:
        """The criterion, from the runs of its task (None = there are none)."""
        asks = f"{self.task}: {self.asks}"
        if summary is None or not summary.models[OURS].good:
            return Criterion(self.number, asks)
        reached, met = self.judge(summary, *self.limits)
        steps, seeds = summary.run["steps"], len(summary.models[OURS].runs)
        if self.steps not in (None, steps):
            reached, met = f"{reached} (at {steps:,} steps)", None
        if seeds < SEEDS:
            reached, met = f"{reached} ({seeds} of {SEEDS} seeds)", None
        return Criterion(self.number, asks, reached, met)


def quality_criteria(content: dict[str, Any] | None) -> list[Criterion]:
    """Every criterion, measured or not; the first setting of a task counts."""
    by_task: dict[str, TaskSummary] = {}
    for summary in [] if content is None else summarise(content["runs"]):
        if OURS in summary.models:
            by_task.setdefault(summary.run["task"], summary)
    return [question.answer(by_task.get(question.task)) for question in QUESTIONS]


def _lead(summary: TaskSummary, times: float = 1, least: float = -math.inf) -> Verdict:
    """Ahead of all baselines at ``times`` the training length, with a score of ``least`` or more;
    a failed run or a missing baseline is no lead."""
    length = round(times * summary.train_length)
    scores = {k: e for k, e in summary.estimates(length).items() if k in (OURS, *BASELINES)}
    ours = summary.models[OURS]
    complete = len(ours.good) == len(ours.runs) and set(BASELINES) <= set(summary.models)
    ahead = complete and winner(scores, HIGHER_IS_BETTER[summary.metric]) == OURS
    return _beside_best(summary, length), ahead and scores[OURS].mean >= least


def _not_behind(summary: TaskSummary) -> Verdict:
    estimates = summary.estimates(summary.train_length)
    sign = 1 if HIGHER_IS_BETTER[summary.metric] else -1
    text = _beside_best(summary, summary.train_length)
    others = [estimates[name] for name in BASELINES if name in estimates]
    if OURS not in estimates or not others:
        return text, None
    behind = [
        other
        for other in others
        if sign * (other.mean - estimates[OURS].mean) > 0
        and (other.low > estimates[OURS].high or other.high < estimates[OURS].low)
    ]
    return text, not behind


def _on_the_way(summary: TaskSummary, step: int, least: float) -> Verdict:
    """Validation score while training: the learning rate had not come down yet."""
    curves = [run["curve"] for run in summary.models[OURS].good]
    scores = [p["val_metric"] for curve in curves for p in curve if p["step"] == step]
    if not scores:
        return NOT_MEASURED, None
    return f"{number(estimate(scores))} on validation", estimate(scores).mean >= least


def _every_seed(summary: TaskSummary, times: float, least: float) -> Verdict:
    length = round(times * summary.train_length)
    scores = summary.models[OURS].scores(length)
    if not scores:
        return NOT_MEASURED, None
    passed, runs = sum(x >= least for x in scores.values()), len(summary.models[OURS].runs)
    worst = f"worst {min(scores.values()):.3f}"
    return f"{passed} of {runs} seeds at T={length}, {worst}", passed == runs


def _loss_at_length(summary: TaskSummary, times: float, points: float) -> Verdict:
    ours, short = summary.models[OURS], summary.train_length
    long = round(times * short)
    loss = paired_difference(ours.scores(short), ours.scores(long))
    if loss is None:
        return NOT_MEASURED, None
    lost = 100 * loss.mean
    return f"{lost:.2f} points from T={short} to T={long}", lost < points


def _sparse(summary: TaskSummary) -> Verdict:
    """The best sparse variant (models called ``prism-top...``) against PRISM itself."""
    ours = summary.models[OURS].scores(summary.train_length)
    gaps = {
        name: paired_difference(model.scores(summary.train_length), ours)
        for name, model in summary.models.items()
        if name.startswith(f"{OURS}-top")
    }
    known = {name: e for name, e in gaps.items() if e is not None}
    if not known:
        return NOT_MEASURED, None
    best = min(known, key=lambda name: known[name].mean)
    text = f"{best}: {number(known[best], sign='+')} bits/byte"
    return text, known[best].mean <= SPARSE_TOLERANCE


def _beside_best(summary: TaskSummary, length: int) -> str:
    """``0.998 ±0.001, next ssm 0.702 ±0.020``."""
    estimates = summary.estimates(length)
    if OURS not in estimates:
        return NOT_MEASURED
    text = number(estimates[OURS])
    others: dict[str, Estimate] = {k: e for k, e in estimates.items() if k in BASELINES}
    if not others:
        return text
    sign = 1 if HIGHER_IS_BETTER[summary.metric] else -1
    best = max(others, key=lambda name: sign * others[name].mean)
    return f"{text}; best baseline {best} {number(others[best])}"


QUESTIONS = (
    Question("1", "induction", "≥ 0.99 and ahead at 400 steps", 400, _lead, (1, 0.99)),
    Question("1", "mqar", "≥ 0.99 and ahead at 400 steps", 400, _lead, (1, 0.99)),
    Question("2", "copy", "≥ 0.99 at step 600", None, _on_the_way, (600, 0.99)),
    Question("2", "copy", "behind no baseline at 1,000 steps", 1000, _not_behind),
    Question("3", "reasoning", "ahead at 1,200 steps", 1200, _lead),
    Question("3", "parity", "1.00 at 8 × the training length", None, _every_seed, (8, 1.0)),
    Question("3", "modular", "≥ 0.99 at 4 × the training length", None, _every_seed, (4, 0.99)),
    Question("4", "mini_lm", "ahead at the training length", None, _lead),
    Question("4", "mini_lm", "ahead at 4 × the training length", None, _lead, (4,)),
    Question("4", "mini_lm", "sparse routing ≤ 0.01 bits/byte above soft", None, _sparse),
    Question("5", "induction", "< 2 points lost at 8 × the length", None, _loss_at_length, (8, 2)),
    Question("5", "mqar", "< 2 points lost at 8 × the length", None, _loss_at_length, (8, 2)),
)
