"""Selection of each model's learning rate: the best on validation.

For each task and model, over the seeds that every tried rate has: fewest failed runs, then the
best mean validation metric, then the lowest mean validation loss. The test set is never looked
at. The runs that are shown are all runs at the rate so chosen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from statistics import fmean

from prism.compare.evaluation import HIGHER_IS_BETTER
from prism.compare.protocol import Job, run_key, setting_of
from prism.record import Run


def best_rate(runs: Iterable[Run]) -> float | None:
    """The best rate among runs of one model in one setting; None if no run succeeded."""
    by_rate: dict[float, list[Run]] = defaultdict(list)
    for run in runs:
        by_rate[run["lr"]].append(run)
    common = set.intersection(*({run["seed"] for run in group} for group in by_rate.values()))

    def rank(rate: float) -> tuple[int, float, float]:
        group = [run for run in by_rate[rate] if run["seed"] in common or not common]
        scored = [run for run in group if run["error"] is None]
        if not scored:
            return (len(group) + 1, 0.0, 0.0)
        metric = scored[0]["metric"]
        sign = -1 if HIGHER_IS_BETTER[metric] else 1
        mean = fmean(run["val"][metric] for run in scored)
        return (len(group) - len(scored), sign * mean, fmean(run["val"]["loss"] for run in scored))

    best = min(sorted(by_rate), key=rank)
    return best if any(run["error"] is None for run in by_rate[best]) else None


def perfect_pairs(runs: Iterable[Run], jobs: Iterable[Job]) -> set[tuple[str, str]]:
    """The (task, model) pairs of a sweep's jobs for which some rate is beyond improvement: all
    its seeds have run and answered the whole of validation right."""
    right = {
        run_key(run)
        for run in runs
        if run["error"] is None and run["metric"] == "accuracy" and run["val"]["accuracy"] == 1.0
    }
    by_rate: dict[tuple[str, str, float], list[Job]] = defaultdict(list)
    for job in jobs:
        by_rate[job.task, job.model, job.lr].append(job)
    return {
        (task, model)
        for (task, model, _), group in by_rate.items()
        if all(job.key in right for job in group)
    }


def best_rates(runs: Iterable[Run]) -> dict[str, dict[str, float]]:
    """The best rate by task and model; runs must be of one setting per task."""
    best: dict[str, dict[str, float]] = defaultdict(dict)
    for setting, by_model in grouped(runs).items():
        for model, group in by_model.items():
            rate = best_rate(group)
            if rate is not None:
                best[setting[0]][model] = rate
    return dict(best)


def shown_runs(runs: Iterable[Run]) -> list[Run]:
    """The runs at the best rate of their model and setting, by seed."""
    shown = []
    for by_model in grouped(runs).values():
        for group in by_model.values():
            rate = best_rate(group)
            chosen = [run for run in group if rate is None or run["lr"] == rate]
            shown += sorted(chosen, key=lambda run: run["seed"])
    return shown


def grouped(runs: Iterable[Run]) -> dict[tuple, dict[str, list[Run]]]:
    """Runs by setting and by model, both in order of appearance."""
    groups: dict[tuple, dict[str, list[Run]]] = {}
    for run in runs:
        groups.setdefault(setting_of(run), {}).setdefault(run["model"], []).append(run)
    return groups
