"""Many runs in worker processes: what goes wrong in one does not touch the others."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

from prism.compare.comparison import Comparison
from prism.compare.protocol import ComparisonPlan
from prism.compare.results import Results
from prism.compare.runner import run_jobs
from tests.compare.fakes import execute_and_tell_signals, execute_at_once, job, run

ROOT = Path(__file__).resolve().parents[2]


class Log:
    """A listener that writes everything down."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.runs: list[int] = []
        self.crashes: dict[int, str] = {}

    def progress(self, job, step, loss):
        self.steps.append(step)

    def finished(self, job, run, example):
        self.runs.append(run["seed"])
        self.last = run

    def crashed(self, job, reason, details):
        self.crashes[job.seed] = reason

    def tick(self) -> None:
        pass


def test_an_exception_and_a_dead_worker_cost_one_job_each() -> None:
    log = Log()
    run_jobs([job(seed=s) for s in (1, 0, 2, 4)], execute_at_once, log, workers=1, device="cpu")
    assert log.runs == [0, 4]
    assert log.crashes == {
        1: "RuntimeError: seed 1 is unlucky",
        2: "the worker ended with code 7",
    }
    assert log.steps == [10] * 4


def test_workers_have_one_thread_and_leave_ctrl_c_to_the_parent() -> None:
    log = Log()
    run_jobs([job()], execute_and_tell_signals, log, workers=1, device="cpu")
    assert log.last["blocked"] == [signal.SIGINT]
    assert log.last["threads"] == 1


def comparison(folder: Path, output: io.StringIO) -> Comparison:
    console = Console(file=output, width=200)
    return Comparison(Results(folder), console, 1, "cpu", execute_at_once)


def test_runs_that_are_there_are_skipped(tmp_path: Path) -> None:
    Results(tmp_path).add(run(job(seed=0), test=0.123))
    output = io.StringIO()
    comparison(tmp_path, output).run([job(seed=0)])
    assert "1 run is already in" in output.getvalue()
    assert Results(tmp_path).runs[0]["test"]["accuracy"] == 0.123


def test_a_crashed_run_is_on_record_and_tried_again(tmp_path: Path) -> None:
    output = io.StringIO()
    comparison(tmp_path, output).run([job(seed=1), job(seed=5)])
    errors = {r["seed"]: r["error"] for r in Results(tmp_path).runs}
    assert errors == {1: "RuntimeError: seed 1 is unlucky", 5: None}
    assert "Traceback" in output.getvalue()
    assert Results(tmp_path).missing([job(seed=1), job(seed=5)]) == [job(seed=1)]


def test_the_sweep_tries_the_grid_and_the_final_phase_reuses_it(tmp_path: Path) -> None:
    plan = ComparisonPlan(tasks=("copy",), models=("prism", "gdn"), seeds=5)
    assert len(plan.sweep_jobs()) == 2 * 4 * 2
    results = Results(tmp_path)
    for swept in plan.sweep_jobs():
        results.add(run(swept, val=1.0 if swept.lr == 6e-3 else 0.5))
    swept_before = {"copy": {"ssm": 1e-3, "gdn": 1e-2}, "mqar": {"gdn": 1e-3}}
    (tmp_path / "learning_rates.json").write_text(json.dumps(swept_before))
    best = comparison(tmp_path, io.StringIO()).sweep(plan)
    assert best == {"copy": {"prism": 6e-3, "gdn": 6e-3}}
    kept = {"copy": {"ssm": 1e-3} | best["copy"], "mqar": {"gdn": 1e-3}}
    assert json.loads((tmp_path / "learning_rates.json").read_text()) == kept
    left = results.missing(plan.final_jobs(best))
    assert [(x.model, x.seed, x.lr) for x in left] == [
        (model, seed, 6e-3) for model in ("prism", "gdn") for seed in (2, 3, 4)
    ]


def _hear_ctrl_c() -> None:
    """A process started in the background of a script ignores Ctrl-C, and so do its children."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_ctrl_c_keeps_what_is_finished_and_ends_the_workers(tmp_path: Path) -> None:
    """Sent to the whole process group, as a terminal does."""
    command = [sys.executable, "-m", "prism.train", "--compare", "--task", "copy"]
    command += ["--models", "transformer", "--seeds", "500", "--steps", "3", "--workers", "1"]
    process = subprocess.Popen(
        [*command, "--device", "cpu", "--out", str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_hear_ctrl_c,
    )
    results = tmp_path / "results.json"
    deadline = time.monotonic() + 120
    while not results.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    runs = json.loads(results.read_text())["runs"]
    assert 1 <= len(runs) < 500
    assert errors == (f"stopped; {len(runs)} runs are in {results}; the same command continues\n")
