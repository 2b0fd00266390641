"""A comparison from start to end: missing runs are done, kept at once, and rates chosen."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from prism.compare.progress import Display, Eta, Live
from prism.compare.protocol import (
    SWEEP_ORDER,
    ComparisonPlan,
    Job,
    open_task,
    relative_cost,
    setting_of,
)
from prism.compare.results import Results, best_rates, perfect_pairs
from prism.compare.runner import Execute, execute, run_jobs
from prism.record import Run, code_fingerprint, write_json

RATES_FILE = "learning_rates.json"


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
        self.results = results
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

    def sweep(self, plan: ComparisonPlan) -> dict[str, dict[str, float]]:
        """Try the grid of learning rates; the best by task and model, also into the folder.

        A rate at which every swept seed answers all of validation right cannot be beaten: the
        rates after it in ``SWEEP_ORDER`` are not tried for that task and model.
        """
        jobs = plan.sweep_jobs()
        for rate in SWEEP_ORDER:
            perfect = perfect_pairs(self.results.runs, jobs)
            self.run([j for j in jobs if j.lr == rate and (j.task, j.model) not in perfect])
        settings = {setting_of(dataclasses.asdict(job)) for job in jobs}
        pairs = set(plan.pairs())
        runs = [
            run
            for run in self.results.runs
            if setting_of(run) in settings and (run["task"], run["model"]) in pairs
        ]
        best = best_rates(runs)
        self._keep_rates(best)
        return best

    def _keep_rates(self, best: dict[str, dict[str, float]]) -> None:
        """Write the rates; those of tasks and models that were swept before stay."""
        path = self.results.folder / RATES_FILE
        rates = json.loads(path.read_text("utf-8")) if path.exists() else {}
        for task, by_model in best.items():
            rates[task] = {**rates.get(task, {}), **by_model}
        write_json(path, {task: dict(sorted(rates[task].items())) for task in sorted(rates)})

    def full(self, plan: ComparisonPlan) -> None:
        """The sweep, then every seed at the rates that it chose."""
        self.run(plan.final_jobs(self.sweep(plan)))

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
