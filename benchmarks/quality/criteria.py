"""Criteria on the quality that the runs of a comparison reached: W1, W3, W4 and a part of W8.

*Ahead by x* means that the mean of the differences, seed by seed, to the better arm of each
baseline is at least x in PRISM's favour and that their 95% interval excludes 0. *Behind* means that
the 95% interval of a baseline lies on the better side of PRISM's without touching it; what is not
behind is level or ahead. Every criterion is judged on at least ``SEEDS`` seeds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.page.criterion import NOT_MEASURED, Criterion
from prism.compare.statistics import Estimate, paired_difference
from prism.compare.summary import OURS, TaskSummary, number, summarise
from prism.compare.training import HIGHER_IS_BETTER

BASELINES = ("transformer", "ssm", "gdn")
SEEDS = 5
SPARSE_TOLERANCE = 0.01

Verdict = tuple[str, bool | None]


@dataclass(frozen=True)
class Question:
    """A criterion to be judged: ``judge(summary, *limits)`` gives what was reached and whether that
    is enough."""

    number: str
    task: str
    asks: str
    judge: Callable[..., Verdict]
    limits: tuple[float, ...] = ()

    def answer(self, summary: TaskSummary | None) -> Criterion:
        """The criterion, from the runs of its task (None = there are none)."""
        asks = f"{self.task}: {self.asks}"
        if summary is None or not summary.models[OURS].good:
            return Criterion(self.number, asks)
        reached, met = self.judge(summary, *self.limits)
        seeds = len(summary.models[OURS].runs)
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


def _lead(summary: TaskSummary, times: float, least: float) -> Verdict:
    """Ahead of all baselines by ``least`` at ``times`` the training length; a failed run or a
    missing baseline is no lead."""
    length = round(times * summary.train_length)
    sign = 1 if HIGHER_IS_BETTER[summary.metric] else -1
    gaps = {k: e for k, e in summary.differences(length).items() if k in BASELINES}
    ours = summary.models[OURS]
    complete = len(ours.good) == len(ours.runs) and set(BASELINES) <= set(gaps)
    ahead = complete and all(
        sign * e.mean >= least and not (e.low <= 0 <= e.high) for e in gaps.values()
    )
    nearest = min(gaps, key=lambda name: sign * gaps[name].mean, default=None)
    text = _beside_best(summary, length)
    return text if nearest is None else f"{text}: {number(gaps[nearest], '+')}", ahead


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


def _seeds_at(summary: TaskSummary, times: float, least: float, wanted: float) -> Verdict:
    """A score of ``least`` at ``times`` the training length on at least ``wanted`` seeds."""
    length = round(times * summary.train_length)
    scores = summary.models[OURS].scores(length)
    if not scores:
        return NOT_MEASURED, None
    passed, runs = sum(x >= least for x in scores.values()), len(summary.models[OURS].runs)
    worst = f"worst {min(scores.values()):.3f}"
    return f"{passed} of {runs} seeds at T={length}, {worst}", passed >= wanted


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


# Task, by how many times longer, and on how many of the five seeds it has to be right there.
LONGER = (("reasoning", 50 / 14, 4), ("modular", 8, 4), ("induction", 8, 4), ("mqar", 8, 4))
LONGER += (("parity", 8, 5),)
STATES = {"copy": 5, "induction": 5, "mqar": 5, "reasoning": 4, "parity": 5, "modular": 5}
MAD = ("fuzzy_recall", "noisy_recall", "selective_copy", "compression", "memorize")
QUESTIONS = (
    Question("W1", "mini_lm", "ahead by ≥ .03 at the training length", _lead, (1, 0.03)),
    Question("W1", "mini_lm", "ahead by ≥ .03 at 4 × the length", _lead, (4, 0.03)),
    *(
        Question("W3", t, f"≥ .99 on {n} of 5 seeds at its length", _seeds_at, (1, 0.99, n))
        for t, n in STATES.items()
    ),
    *(
        Question(
            "W3", t, f"≥ .99 on {n} of 5 seeds at {x:.3g} × the length", _seeds_at, (x, 0.99, n)
        )
        for t, x, n in LONGER
    ),
    *(Question("W3", t, "behind no baseline", _not_behind) for t in STATES),
    *(Question("W4", t, "behind no baseline", _not_behind) for t in MAD),
    Question("W4", "selective_copy", "≥ .9 at 2 × the length", _seeds_at, (2, 0.9, SEEDS)),
    Question("W4", "s5", "≥ .9 on 3 of 5 seeds at 4 × the length", _seeds_at, (4, 0.9, 3)),
    Question("W8", "mini_lm", "sparse routing ≤ 0.01 bits/byte above soft", _sparse),
)
