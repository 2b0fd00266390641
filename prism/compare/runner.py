"""Job execution in worker processes; a job that fails or kills its worker costs no other job.

One worker per core, one torch thread each: at the toy size two runs side by side finish sooner
than one run on two threads, and one thread makes a run repeatable bit by bit. Each worker talks
to the parent over its own pipe, so a worker that dies (out of memory, say) costs one job and
disturbs no other. Workers do not see Ctrl-C; the parent ends them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

import torch

from prism.baselines import build
from prism.compare.ngram import counted
from prism.compare.protocol import Job, open_task, toy_config
from prism.compare.readout import EndReadout
from prism.compare.results import record_example
from prism.compare.training import TrainingPlan, train
from prism.record import code_fingerprint
from tasks import MiniLM

REPORT_EVERY = 0.25  # seconds between progress messages of one worker

Outcome = tuple[dict[str, Any], dict[str, Any] | None]
Execute = Callable[[Job, str, Callable[[int, float], None]], Outcome]


def execute(
    job: Job, device: str, on_progress: Callable[[int, float], None]
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Do ``job`` on ``device``: build the model, train it, measure it.

    Returns:
        The run as it goes into results.json, and for a PRISM that was trained the record of
        what it does on an example, else None.
    """
    code = code_fingerprint()
    task = open_task(job.task, job.corpus)
    torch.manual_seed(job.seed)  # dropout draws from the global generator
    model = build(job.model, toy_config(task, job.seed, job.dropout))
    reader = EndReadout(model, task.lengths[-1], job.seed) if task.read_at_the_end else model
    reader.to(device)
    plan = TrainingPlan(
        steps=job.steps,
        batch_size=job.batch_size,
        lr=job.lr,
        seed=job.seed,
        evaluation=job.evaluation,
        warm_up=job.warm_up,
        test=job.phase != "search",
    )
    result = train(reader, task, plan, on_progress)
    run = {**dataclasses.asdict(job), "metric": task.metric, "chance": task.chance}
    run |= {"train_length": task.train_length, "code": code}
    run |= dataclasses.asdict(result)
    if isinstance(task, MiniLM) and plan.test:
        run["ngrams"] = counted(task, job.evaluation)
    looks_inside = job.model == "prism" and job.phase != "search" and result.error is None
    return run, record_example(model, task) if looks_inside else None


class Listener(Protocol):
    """Receiver of the events of jobs."""

    def progress(self, job: Job, step: int, loss: float) -> None:
        """A job has done ``step`` steps."""

    def finished(self, job: Job, run: dict[str, Any], example: dict[str, Any] | None) -> None:
        """A job has given a run; ``example`` as :func:`execute` says."""

    def crashed(self, job: Job, reason: str, details: str) -> None:
        """A job has ended without a run; ``details`` is the traceback, if there is one."""

    def tick(self) -> None:
        """Called at least once a second."""


def run_jobs(
    jobs: Sequence[Job], execute: Execute, listener: Listener, workers: int, device: str
) -> None:
    """Do all jobs, in the order given as workers become free.

    Args:
        execute: does one job in a worker, as :func:`execute`; must be importable there (a
            module-level function).
        workers: processes at once, >= 1.
        device: that ``execute`` trains on.

    Raises:
        KeyboardInterrupt: the user pressed Ctrl-C; the workers have been ended.
    """
    waiting = list(reversed(jobs))
    crew: list[_Worker] = []
    try:
        while waiting or crew:
            while waiting and len(crew) < workers:
                crew.append(_Worker.start(waiting.pop(), execute, device))
            ready = wait([worker.pipe for worker in crew], timeout=1.0)
            for worker in [w for w in crew if w.pipe in ready]:
                if worker.handle(listener):
                    continue
                worker.done = True
                if waiting and worker.process.is_alive():
                    worker.assign(waiting.pop())
                else:
                    worker.stop()
                    crew.remove(worker)
            listener.tick()
    finally:
        for worker in crew:
            worker.stop()


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    job: Job
    done: bool = False

    @classmethod
    def start(cls, job: Job, execute: Execute, device: str) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        resource_tracker.ensure_running()  # its own start would unblock SIGINT again
        process = context.Process(target=_work, args=(theirs, execute, device), daemon=True)
        with _ctrl_c_held_back():
            process.start()
        theirs.close()
        worker = cls(process, ours, job)
        worker.assign(job)
        return worker

    def assign(self, job: Job) -> None:
        self.job, self.done = job, False
        with contextlib.suppress(BrokenPipeError):  # died: the next handle() says so
            self.pipe.send(job)

    def handle(self, listener: Listener) -> bool:
        """Take one message; whether the job is still being worked on."""
        try:
            kind, *content = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            reason = f"the worker ended with code {self.process.exitcode}"
            listener.crashed(self.job, reason, details="")
            return False
        getattr(listener, kind)(self.job, *content)
        return kind == "progress"

    def stop(self) -> None:
        if not self.done:
            self.process.terminate()
        self.pipe.close()  # an idle worker leaves when its pipe closes
        self.process.join()


@contextlib.contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """Start a process with SIGINT blocked: it inherits that, so that Ctrl-C in a terminal, which
    goes to every process there, leaves the decision to the parent."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(pipe: Connection, execute: Execute, device: str) -> None:
    """Main function of a worker: take a job, send messages, until the pipe closes."""
    torch.set_num_threads(1)
    with contextlib.suppress(EOFError, ConnectionResetError, BrokenPipeError):
        while True:
            job = pipe.recv()
            try:
                message = ("finished", *execute(job, device, _throttled(pipe, job.steps)))
            except (EOFError, ConnectionResetError, BrokenPipeError):
                raise
            except Exception as error:  # whatever a model does wrong must not stop the others
                message = ("crashed", f"{type(error).__name__}: {error}", traceback.format_exc())
            pipe.send(message)


def _throttled(pipe: Connection, steps: int) -> Callable[[int, float], None]:
    sent = 0.0

    def report(step: int, loss: float) -> None:
        nonlocal sent
        now = time.monotonic()
        if now - sent >= REPORT_EVERY or step == steps:
            sent = now
            pipe.send(("progress", step, loss))

    return report
