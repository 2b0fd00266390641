"""Durability of the ledger: writers that are killed, and writers at the same time.

    killed       a writer is ended with SIGKILL at a random moment, again and again; every write
                 that it reported must be there, and the tape must equal one built from the rows
    side by side several processes write, change and retract at once; nothing may be lost, doubled
                 or refused as locked

A worker (this file run as a program) appends a line to its log *after* each acknowledged write, so
the log is what the outside was promised.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from prism.mind import KnowledgeBase
from prism.mind.records import Source

LONGEST_LIFE = 0.25  # seconds after its first write at which a writer is killed at the latest


@dataclass(frozen=True)
class Killed:
    """Result of killing writers: acknowledged writes, those that are missing or stale."""

    kills: int
    acknowledged: int
    lost: int
    tape_agrees: bool


@dataclass(frozen=True)
class SideBySide:
    """Result of writers at once: rate in transactions a second, longest wait in seconds."""

    processes: int
    operations: int
    lost: int
    doubled: int
    refused: int
    longest_wait: float
    per_second: float


def work(path: Path, log: Path, name: str, operations: int, seed: int) -> None:
    """Write until ``operations`` are done: 70% new facts, 20% changes, 10% retractions."""
    draw = random.Random(seed)
    mine: list[int] = []
    with KnowledgeBase(path) as kb, log.open("a", buffering=1) as out:
        for i in range(operations):
            start, deed = time.perf_counter(), draw.random()
            if deed < 0.7 or not mine:
                subject, value = f"{name}-{seed}-{i}", str(i)
                kb.add(subject, "number", value, source=Source("api", name))
                mine.append(i)
            elif deed < 0.9:
                subject, value = f"{name}-{seed}-{draw.choice(mine)}", f"changed {i}"
                kb.add(subject, "number", value)
            else:
                gone = mine.pop(draw.randrange(len(mine)))
                subject, value = f"{name}-{seed}-{gone}", ""
                kb.retract(kb.get(subject, "number")[0].id)
            wait = time.perf_counter() - start
            out.write(f"{subject}\t{value}\t{wait:.6f}\t{time.time():.6f}\n")


@dataclass(frozen=True)
class Promise:
    """Acknowledged writes by the logs: the last value of each subject ("" = retracted), and of all
    of them the waits and the times of the first and last."""

    last: dict[str, str]
    waits: list[float]
    seconds: float


def promised(logs: list[Path]) -> Promise:
    """Reports of all writers, read from their logs."""
    last: dict[str, str] = {}
    waits, moments = [], []
    for log in logs:
        lines = log.read_text("utf-8").splitlines(keepends=True) if log.exists() else []
        for line in lines:
            if line.endswith("\n"):  # the last line may be cut by the kill
                subject, value, seconds, moment = line.rstrip("\n").split("\t")
                last[subject] = value
                waits.append(float(seconds))
                moments.append(float(moment))
    return Promise(last, waits, max(moments) - min(moments))


def lost(kb: KnowledgeBase, last: dict[str, str]) -> int:
    """Acknowledged values that the history does not have, and retractions that did not happen. A
    later value, written in the moment between its commit and its line in the log, is no loss."""
    count = 0
    for subject, value in last.items():
        if value:
            count += value not in [fact.object for fact in kb.history(subject, "number")]
        else:
            count += bool(kb.get(subject, "number"))
    return count


def killed(folder: Path, kills: int, seed: int = 0) -> Killed:
    """Kill a writer ``kills`` times on one file."""
    draw, path = random.Random(seed), folder / "killed.db"
    logs = []
    for i in range(kills):
        log = folder / f"killed-{i}.log"
        logs.append(log)
        worker = _start(path, log, "k", 100_000, seed=i)
        while not (log.exists() and log.stat().st_size) and worker.poll() is None:
            time.sleep(0.002)
        time.sleep(draw.random() * LONGEST_LIFE)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    promise = promised(logs)
    with KnowledgeBase(path) as kb:
        return Killed(kills, len(promise.waits), lost(kb, promise.last), kb.view.agrees())


def side_by_side(folder: Path, processes: int, operations: int) -> SideBySide:
    """Let ``processes`` writers do ``operations`` each on one file at once."""
    path = folder / "together.db"
    KnowledgeBase(path).close()
    logs = [folder / f"together-{i}.log" for i in range(processes)]
    workers = [_start(path, log, f"w{i}", operations, seed=i) for i, log in enumerate(logs)]
    refused = sum(worker.wait() != 0 for worker in workers)
    promise = promised(logs)
    count = len(promise.waits)
    with KnowledgeBase(path) as kb:
        live = [fact.subject for fact in kb.facts()]
        objects = {fact.subject: fact.object for fact in kb.facts()}
        wrong = sum(objects.get(subject, "") != value for subject, value in promise.last.items())
        return SideBySide(
            processes,
            count,
            wrong + processes * operations - count,
            len(live) - len(set(live)),
            refused,
            max(promise.waits),
            count / promise.seconds,
        )


def _start(path: Path, log: Path, name: str, operations: int, seed: int) -> subprocess.Popen:
    arguments = [str(path), str(log), name, str(operations), str(seed)]
    return subprocess.Popen([sys.executable, "-m", __name__, *arguments], env=os.environ.copy())


def as_json(result: Killed | SideBySide) -> dict[str, object]:
    """A result as plain values."""
    return asdict(result)


if __name__ == "__main__":
    file, log_file, writer, number, start_seed = sys.argv[1:]
    work(Path(file), Path(log_file), writer, int(number), int(start_seed))
