"""Many runs in worker processes: what goes wrong in one does not touch the others."""

from __future__ import annotations

import io
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from prism.compare.comparison import Comparison
from prism.compare.protocol import ComparisonPlan, Job, Recipe
from prism.compare.results import Results
from prism.compare.runner import run_jobs
from prism.compare.search import START
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


def searched(folder: Path, plan: ComparisonPlan, seen: list) -> dict:
    """A search whose runs come from a formula: copy by gdn is best at lr .016, warm-up .2; prism
    and the plain Transformer answer everything."""
    found = comparison(folder, io.StringIO())

    def do(jobs: Sequence[Job]) -> None:
        for one in found.results.missing(jobs):
            seen.append(one)
            right = one.model in ("prism", "transformer")
            away = abs(math.log2(one.lr / 0.016)) + abs(one.warm_up - 0.2)
            found.results.add(run(one, val=1.0 if right else 0.9 - away / 20))

    found.run = do
    return found.search(plan)


def test_a_search_goes_on_until_its_neighbours_are_worse_and_stops_at_the_ceiling(
    tmp_path: Path,
) -> None:
    models = ("prism", "transformer", "gdn", "gdn-strong", "transformer-strong")
    plan = ComparisonPlan(tasks=("copy",), models=models, steps=30)
    kept = {"copy": {"ssm": {"lr": 1e-3, "warm_up": 0.1, "dropout": 0.0}}, "mqar": {}}
    (tmp_path / "recipes.json").write_text(json.dumps(kept))
    seen: list[Job] = []
    best = searched(tmp_path, plan, seen)["copy"]
    assert best == {
        "prism": START,
        "transformer": START,
        "gdn": Recipe(0.016, 0.2),
        "gdn-strong": Recipe(0.016, 0.2),
    }
    assert {x.steps for x in seen} == {10}
    tried = {(x.lr, x.warm_up) for x in seen if x.model == "gdn"}
    assert tried >= {(0.008, 0.2), (0.032, 0.2), (0.016, 0.1), (0.016, 0.4)}
    assert {x.lr for x in seen if x.model == "prism"} == {START.lr}  # nothing is better than all
    written = json.loads((tmp_path / "recipes.json").read_text())
    assert written["copy"]["gdn"] == {"lr": 0.016, "warm_up": 0.2, "dropout": 0.0}
    assert written["copy"]["ssm"] == kept["copy"]["ssm"] and "mqar" in written
    assert Results(tmp_path).runs == []
    again: list[Job] = []
    assert searched(tmp_path, plan, again)["copy"] == best
    assert again == []


def test_a_crash_counts_as_a_failure_and_the_next_command_tries_it_again(tmp_path: Path) -> None:
    plan = ComparisonPlan(tasks=("copy",), models=("gdn",), steps=30)
    for attempt in range(2):
        found, seen = comparison(tmp_path, io.StringIO()), []

        def do(jobs: Sequence[Job], found=found, seen=seen) -> None:
            for one in found.results.missing(jobs):
                seen.append(one)
                lost = {"error": "the worker ended with code -9", "parameters": None}
                found.results.add(run(one) | (lost if one.seed == 1 else {}))

        found.run = do
        assert found.search(plan) == {"copy": {"gdn": START}}
        assert {x.seed for x in seen} == ({0, 1} if attempt == 0 else {1})
        assert len({x.key for x in seen}) == len(seen)


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
