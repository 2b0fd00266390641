"""A comparison from start to end: missing runs are done, kept at once, and recipes chosen."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from prism.baselines import plain_arm
from prism.compare.progress import Display, Eta, Live
from prism.compare.protocol import (
    ComparisonPlan,
    Job,
    Recipe,
    open_task,
    relative_cost,
    run_key,
)
from prism.compare.results import SEARCH_FILE, Results, by_recipes
from prism.compare.runner import Execute, execute, run_jobs
from prism.compare.search import at_ceiling, best_measured, next_recipes
from prism.record import Run, code_fingerprint, write_json
from tasks import get_task

RECIPES_FILE = "recipes.json"


class Comparison:
    """Runs jobs into a results folder; the listener of their events while they run.

    Args:
        results: where runs are kept; runs that are there already are not repeated.
        console: where progress is shown.
        workers: processes at once.
        device: "cpu" or "cuda".
        execute: does one job, see :func:`prism.compare.runner.execute`.
    """

    def __init__(
        self,
        results: Results,
        console: Console,
        workers: int,
        device: str,
        execute: Execute = execute,
    ) -> None:
        self.results = results  # where the runs of the present phase go
        self.final = results
        self.console = console
        self.workers = workers
        self.device = device
        self.execute = execute
        self.display: Display

    def run(self, jobs: Sequence[Job]) -> None:
        """Do the jobs that have no finished run yet, the longest first."""
        missing = self.results.missing(jobs)
        self._say_what_is_there(len(jobs) - len(missing))
        if not missing:
            return
        tasks = {(job.task, job.corpus) for job in missing}
        length = {key: open_task(*key).train_length for key in tasks}
        costs = {job.key: relative_cost(job, length[job.task, job.corpus]) for job in missing}
        missing.sort(key=lambda job: -costs[job.key])
        at_once = min(self.workers, len(missing))
        pace = f", {at_once} at a time" if len(missing) > 1 else ""
        self.console.print(f"{_runs(len(missing))} on {self.device}{pace}")
        shown = Live if self.console.is_terminal else Display
        with shown(self.console, missing, Eta(costs)) as display:
            self.display = display
            run_jobs(missing, self.execute, self, self.workers, self.device)

    def progress(self, job: Job, step: int, loss: float) -> None:
        """A job has done ``step`` steps."""
        self.display.progress(job, step, loss)

    def finished(self, job: Job, run: Run, example: dict[str, Any] | None) -> None:
        """Keep the run of a job."""
        self.results.add(run)
        if example is not None:
            self.results.add_example(run, example)
        self.display.finished(job, run)

    def crashed(self, job: Job, reason: str, details: str) -> None:
        """Keep a failed run in place of the one that a job did not give."""
        self.console.print(details, markup=False, highlight=False)
        task = open_task(job.task, job.corpus)
        run = {**dataclasses.asdict(job), "metric": task.metric, "chance": task.chance}
        run |= {"train_length": task.train_length, "code": code_fingerprint()}
        run |= {"parameters": None, "state_bytes": None, "curve": [], "val": None, "test": None}
        run |= {"tokens_per_second": None, "seconds": None, "error": reason}
        self.finished(job, run, None)

    def tick(self) -> None:
        """Called at least once a second."""
        self.display.tick()

    def search(self, plan: ComparisonPlan) -> dict[str, dict[str, Recipe]]:
        """Search the recipe of every task and model (:mod:`prism.compare.search`); the best by
        task and model, also into the folder.

        Every round does what all tasks and models want next. A strong arm waits for its plain one.
        """
        self.results = Results(self.final.folder, SEARCH_FILE)
        self.results.resume(self.final.meta)
        crashed: set[tuple[Any, ...]] = set()  # tried again by the next command, not by this one
        while True:
            wanted = [job for pair in plan.pairs() for job in self._wanted(plan, *pair, crashed)]
            if not wanted:
                break
            self.run(wanted)
            failed = {run_key(run) for run in self.results.runs if run["parameters"] is None}
            crashed |= failed & {job.key for job in wanted}
        best: dict[str, dict[str, Recipe]] = {}
        for task, model in plan.pairs():
            measured = self._measured(plan, task, model, crashed)
            good = [r for r in measured if any(run["error"] is None for run in measured[r])]
            if good:
                best.setdefault(task, {})[model] = best_measured(measured)
        self.results = self.final
        self._keep_recipes(best)
        return best

    def _wanted(
        self, plan: ComparisonPlan, task: str, model: str, crashed: set[tuple[Any, ...]]
    ) -> list[Job]:
        """The runs that the search of one task and model wants next."""
        repeats = get_task(task).repeats
        plain = plain_arm(model)
        if plain != model and (task, plain) in plan.pairs():
            measured = self._measured(plan, task, plain, crashed)
            if next_recipes(measured, repeats):
                return []
            if at_ceiling(measured[best_measured(measured)]):
                return []
        measured = self._measured(plan, task, model, crashed)
        recipes = next_recipes(measured, repeats)
        return [job for r in recipes for job in plan.search_jobs(task, model, r)]

    def _measured(
        self, plan: ComparisonPlan, task: str, model: str, crashed: set[tuple[Any, ...]]
    ) -> dict[Recipe, list[Run]]:
        """The recipes of one task and model whose every seed has run, with their runs."""
        mine = [r for r in self.results.runs if (r["task"], r["model"]) == (task, model)]
        done = {}
        for recipe in by_recipes(mine):
            keys = {job.key for job in plan.search_jobs(task, model, recipe)}
            runs = [r for r in mine if run_key(r) in keys]
            ran = {run_key(r) for r in runs if r["parameters"] is not None} | (keys & crashed)
            if ran == keys:
                done[recipe] = runs
        return done

    def search_lines(self, best: dict[str, dict[str, Recipe]]) -> list[str]:
        """Result of a search, as text."""
        lines = [
            f"{task:<14} {model:<20} lr {r.lr:g}  warm-up {r.warm_up:g}  dropout {r.dropout:g}"
            for task, by_model in best.items()
            for model, r in by_model.items()
        ]
        return [*lines, f"recipes: {self.final.folder / RECIPES_FILE}"]

    def _keep_recipes(self, best: dict[str, dict[str, Recipe]]) -> None:
        """Write the recipes; those of tasks and models that were searched before stay."""
        path = self.final.folder / RECIPES_FILE
        kept = json.loads(path.read_text("utf-8")) if path.exists() else {}
        for task, by_model in best.items():
            found = {model: recipe._asdict() for model, recipe in by_model.items()}
            kept[task] = {**kept.get(task, {}), **found}
        write_json(path, {task: dict(sorted(kept[task].items())) for task in sorted(kept)})

    def full(self, plan: ComparisonPlan) -> None:
        """The search, then every seed at the recipes that it chose."""
        self.run(plan.final_jobs(self.search(plan)))

    def _say_what_is_there(self, count: int) -> None:
        if count == 0:
            return
        others = {run["code"] for run in self.results.runs} - {code_fingerprint()}
        changed = " (some made by other code: use another --out to repeat them)" if others else ""
        verb = "is" if count == 1 else "are"
        line = f"{_runs(count)} {verb} already in {self.results.path}{changed}"
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"
