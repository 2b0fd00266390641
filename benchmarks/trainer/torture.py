"""``python -m benchmarks.trainer.torture``: kills, damaged checkpoints, full disks, double starts.

Every trial is a real process of ``prism.run_scale`` (two for two ranks) on a small model. Whatever
is done to a run, it must end or refuse in one line, and be resumed to the run that nothing was done
to: a trial is lost if the loss or the gradient norm of any step differs by a bit from the run that
was left alone, if steps are missing, if a checkpoint went back without a line that says so, or if a
traceback was printed.

    kill          SIGKILL at a random moment, of all ranks or of one, and a resume
    corruption    bits, cuts, or missing and empty files in the newest checkpoint, and a resume
    full disk     a small file system that is too small from the start, or filled on the way
    double start  a second process in the folder of a run, or two at once
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.page.command import parse, parser, provenance, write_json
from prism import run_scale
from prism.engine.logs.log import read
from prism.engine.store import folder

PROGRAM = "benchmarks.trainer.torture"
WORDS = ("the", "value", "of", "an", "object", "is", "returned.\n\n", "by", "name\n")
FLAGS = (
    *("--preset", "tiny", "--set", "d_model=32", "num_layers=2", "num_rates=4"),
    *("--data", "file:book.txt", "--seq-len", "32", "--global-batch-size", "2", "--device", "cpu"),
    *("--eval-tokens", "64", "--eval-every", "0", "--log-every", "1", "--save-every", "3"),
    *("--keep", "3", "--steps", "100000"),
)
COUNTS = {"kills": 20, "corruptions": 20, "disks": 5, "doubles": 10}
QUICK = {"kills": 2, "corruptions": 3, "disks": 2, "doubles": 2}
PATIENCE = 120.0  # seconds


@dataclass
class Trial:
    """One thing that was done to a run, and what came of it."""

    kind: str
    ranks: int
    what: str
    problem: str = ""
    line: str = ""


class Command:
    """Processes of one ``prism.run_scale``, forked from this one, which has imported it."""

    def __init__(self, flags: Sequence[str], log: Path, ranks: int = 1, limit: int = 0) -> None:
        self.log, self.codes = log, dict[int, int]()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.pids = [self._fork(flags, rank, ranks, port, limit) for rank in range(ranks)]

    def _fork(self, flags: Sequence[str], rank: int, ranks: int, port: int, limit: int) -> int:
        sys.stdout.flush()
        pid = os.fork()
        if pid:
            return pid
        code: Any = 1
        try:
            out = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(out, 1)
            os.dup2(out, 2)
            if ranks > 1:
                os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(ranks), "LOCAL_RANK": "0",
                               "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}  # fmt: skip
            if limit:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            code = run_scale.main(list(flags))
        except SystemExit as stop:
            code = stop.code
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code if isinstance(code, int) else 1)

    def signal(self, number: int, rank: int | None = None) -> None:
        """Send a signal to all ranks or one."""
        for pid in self.pids if rank is None else [self.pids[rank]]:
            if pid not in self.codes:
                os.kill(pid, number)

    def running(self) -> bool:
        """True while some rank runs."""
        for pid in self.pids:
            if pid not in self.codes:
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    self.codes[pid] = os.waitstatus_to_exitcode(status)
        return len(self.codes) < len(self.pids)

    def wait(self) -> list[int]:
        """Exit codes, by rank; a process that hangs is killed, and has -9."""
        deadline = time.monotonic() + PATIENCE
        while self.running():
            if time.monotonic() > deadline:
                self.signal(signal.SIGKILL)
            time.sleep(0.01)
        return [self.codes[pid] for pid in self.pids]

    def until(self, reached: Callable[[], bool]) -> bool:
        """Wait until ``reached`` or the end of the command; True if it was."""
        deadline = time.monotonic() + PATIENCE
        while not reached():
            if not self.running() or time.monotonic() > deadline:
                return reached()
            time.sleep(0.01)
        return True

    @property
    def said(self) -> str:
        """Everything printed so far."""
        return self.log.read_text() if self.log.exists() else ""

    def lines(self) -> list[str]:
        """The lines that the command says for people about errors."""
        return [x for x in self.said.splitlines() if x.startswith("prism.run_scale: ")]


class Torture:
    """All trials, in a folder of their own, which is the working folder.

    Args:
        seed: of the moments and damages.
    """

    def __init__(self, seed: int) -> None:
        self.draw, self.trials, self.logs = random.Random(seed), list[Trial](), 0
        self.truth: dict[int, dict[int, tuple[float, float]]] = {}
        words = random.Random(0)
        Path("book.txt").write_text(" ".join(words.choices(WORDS, k=40_000)))

    def command(self, run: Path, ranks: int = 1, limit: int = 0, fresh: bool = False) -> Command:
        """Start the run, or resume it where it has a checkpoint."""
        self.logs += 1
        begun = not fresh and any(run.glob(f"step-*/{folder.MARK}"))
        flags = ["--resume", str(run)] if begun else [*FLAGS, "--out-dir", str(run)]
        return Command(flags, Path(f"log{self.logs}.txt"), ranks, limit)

    def add(self, trial: Trial, *commands: Command) -> None:
        """Keep a trial; a traceback of its commands is a problem."""
        if any("Traceback" in c.said for c in commands):
            trial.problem = f"traceback; {trial.problem}".rstrip("; ")
        self.trials.append(trial)
        print(
            f"{trial.kind:13} {trial.ranks} {trial.problem or 'ok':24} {trial.what}; {trial.line}"
        )

    def run_on(self, run: Path, ranks: int = 1, steps: int = 4) -> str:
        """Resume for some steps and stop; the problem, if any."""
        before = last_step(run)
        command = self.command(run, ranks)
        goes_on = command.until(lambda: last_step(run) >= before + steps)
        command.signal(signal.SIGTERM)
        codes = command.wait()
        if not goes_on or any(codes):
            return f"did not go on (exit {codes}): {' '.join(command.lines())}"
        return "traceback" if "Traceback" in command.said else self.lost(run, ranks)

    def lost(self, run: Path, ranks: int) -> str:
        """The first step that is missing or differs from the run that was left alone."""
        found = losses(run)
        if sorted(found) != list(range(1, len(found) + 1)):
            return "steps are missing"
        self._learn(ranks, max(found))
        differ = [step for step in found if found[step] != self.truth[ranks][step]]
        return f"step {differ[0]} differs" if differ else ""

    def _learn(self, ranks: int, steps: int) -> None:
        """Train the run that is left alone, on so many ranks, at least so far."""
        run = Path(f"alone{ranks}")
        if len(self.truth.get(ranks, {})) < steps:
            command = self.command(run, ranks)
            assert command.until(lambda: last_step(run) >= steps + 20), command.said
            command.signal(signal.SIGTERM)
            assert not any(command.wait()), command.said
            self.truth[ranks] = losses(run)

    def kills(self, count: int, ranks: int) -> Path:
        """Kill a run, and resume it; its folder."""
        run, reached = Path(f"killed{ranks}"), 0
        for i in range(count):
            command = self.command(run, ranks)
            if i % 2:  # in the middle of the work rather than of the start
                command.until(lambda at=reached: newest_step(run) > at)  # type: ignore[misc]
            time.sleep(self.draw.uniform(0, 1.5))
            one = ranks > 1 and i % 4 == 3
            command.signal(signal.SIGKILL, rank=i // 4 % 2 if one else None)
            codes = command.wait()
            trial = Trial("kill", ranks, f"{'one rank' if one else 'all'} at step {last_step(run)}")
            step = newest_step(run)
            if step < reached:
                trial.problem = f"went back from step {reached} to {step}"
            if one and sorted(codes) != [-9, 5]:
                trial.problem = f"the other rank ended with {codes}"
            trial.line = " ".join(command.lines())
            reached = step
            self.add(trial, command)
        self.add(Trial("kill", ranks, f"the run of {count} kills", self.run_on(run, ranks)))
        return run

    def corruptions(self, count: int, run: Path) -> None:
        """Damage the newest checkpoint of a copy of ``run``, and resume."""
        while len(folder.complete(run)) < 3:
            self.run_on(run)
        for i in range(count):
            copy = Path(f"damaged{i}")
            shutil.copytree(run, copy)
            whole = folder.complete(copy)
            what = damage(whole[-1], list(DAMAGES)[i % len(DAMAGES)], self.draw)
            command = self.command(copy)
            begin = int(whole[-1].name[5:])
            goes_on = command.until(lambda x=begin, at=copy: newest_step(at) > x)  # type: ignore[misc]
            command.signal(signal.SIGTERM)
            codes = command.wait()
            trial = Trial("corruption", 1, what, line=" ".join(command.lines()))
            if not goes_on or any(codes):
                trial.problem = f"did not go on (exit {codes})"
            elif f"{whole[-1].name} is damaged" not in trial.line:
                trial.problem = "silent"
            else:
                trial.problem = self.lost(copy, 1)
            self.add(trial, command)
            shutil.rmtree(copy)

    def disks(self, count: int, size: int) -> None:
        """Fill the disk under a run whose checkpoints have ``size`` bytes."""
        plans = [(1.5, 0.0, 0), (4.0, 0.2, 0), (0.0, 0.0, size // 2), (6.0, 0.05, 0), (0.6, 0, 0)]
        for i, (room, left, limit) in enumerate(plans[:count]):
            with Disk(Path(f"disk{i}"), int(size * room)) as disk:
                run = disk.path / "run"
                limit = limit or (0 if disk.mounted else size // 2)
                command = self.command(run, limit=limit)
                while command.running():
                    if left and disk.mounted and newest_step(run) >= 3 * (i + 1):
                        disk.fill(int(left * size))
                    time.sleep(0.02)
                codes, said = command.wait(), command.lines()
                what = f"files of {limit:,} bytes" if limit else f"disk of {room:g} checkpoints"
                trial = Trial("full disk", 1, what, line=" ".join(said))
                if codes != [2] or len(said) != 1 or "bytes" not in trial.line:
                    trial.problem = f"exit {codes}, {len(said)} lines"
                elif any(run.glob("*.tmp")):
                    trial.problem = "a .tmp is left"
                disk.widen(40 * size)
                trial.problem = trial.problem or self.run_on(run)
                self.add(trial, command)

    def doubles(self, count: int) -> None:
        """Start a second process in the folder of a run."""
        run = Path("double")
        for i in range(count):
            first = self.command(run)
            if i % 2:
                time.sleep(self.draw.uniform(0, 3))
            second = self.command(run)
            first.until(lambda: not second.running())  # noqa: B023
            if not first.running():  # two at once: either may be the one
                first, second = second, first
            before = last_step(run)
            goes_on = first.until(lambda at=before: last_step(run) >= at + 3)  # type: ignore[misc]
            first.signal(signal.SIGTERM)
            codes, refused = first.wait(), second.wait()
            trial = Trial("double start", 1, "later" if i % 2 else "at once")
            trial.line = " ".join(second.lines())
            if refused != [2] or len(second.lines()) != 1 or "trains into it" not in trial.line:
                trial.problem = f"the second ended with {refused}"
            elif not goes_on or codes != [0]:
                trial.problem = f"the first ended with {codes}"
            else:
                trial.problem = self.lost(run, 1)
            self.add(trial, first, second)


class Disk:
    """A folder on a small file system of its own, where one may be mounted."""

    def __init__(self, path: Path, size: int) -> None:
        self.path, self.size, self.mounted = path, size, False

    def __enter__(self) -> Disk:
        self.path.mkdir()
        if self.size:
            self.mounted = self._mount(f"size={self.size}")
        return self

    def __exit__(self, *_: object) -> None:
        if self.mounted:
            subprocess.run(["umount", str(self.path)], check=False)

    def _mount(self, options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.path)]
        return (
            shutil.which("mount") is not None
            and not subprocess.run(command, check=False, capture_output=True).returncode
        )

    def fill(self, left: int) -> None:
        """Take all but ``left`` of the bytes that are free."""
        free = shutil.disk_usage(self.path).free
        if free > left:
            with (self.path / "filler").open("ab") as file:
                file.write(bytes(free - left))

    def widen(self, size: int) -> None:
        """Make room."""
        (self.path / "filler").unlink(missing_ok=True)
        if self.mounted:
            self._mount(f"remount,size={size}")


def losses(run: Path) -> dict[int, tuple[float, float]]:
    """Loss and gradient norm of every step that was logged."""
    return {r["step"]: (r["loss"], r["grad_norm"]) for r in read(run) if "loss" in r}


def last_step(run: Path) -> int:
    """The last step that was logged."""
    try:
        return max(losses(run), default=0)
    except (ValueError, OSError):
        return 0  # not there yet


def newest_step(run: Path) -> int:
    """Step of the newest checkpoint."""
    marked = folder.complete(run)
    return int(marked[-1].name[5:]) if marked else 0


def _bytes(path: Path, change: Callable[[bytearray, random.Random], object], draw: random.Random):
    raw = bytearray(path.read_bytes())
    change(raw, draw)
    path.write_bytes(raw)


def _flip(raw: bytearray, draw: random.Random) -> None:
    raw[draw.randrange(len(raw))] ^= 1 << draw.randrange(8)


def _ones(raw: bytearray, draw: random.Random) -> None:
    raw[-64:] = b"\xff" * 64


def _hole(raw: bytearray, draw: random.Random) -> None:
    at = draw.randrange(max(len(raw) - 4096, 1))
    part = raw[at : at + 4096]
    raw[at : at + 4096] = bytes(len(part)) if any(part) else b"\x01" * len(part)


DAMAGES: dict[str, Callable[[Path, random.Random], object]] = {
    "a bit flipped": lambda path, draw: _bytes(path, _flip, draw),
    "64 bytes of ones at the end": lambda path, draw: _bytes(path, _ones, draw),
    "a page of zeros": lambda path, draw: _bytes(path, _hole, draw),
    "cut short": lambda path, draw: os.truncate(path, draw.randrange(path.stat().st_size)),
    "removed": lambda path, draw: path.unlink(),
    "emptied": lambda path, draw: os.truncate(path, 0),
    "longer": lambda path, draw: path.open("ab").write(b"more"),
}


def damage(checkpoint: Path, kind: str, draw: random.Random) -> str:
    """Do one damage to one file; in words."""
    path = draw.choice(sorted(p for p in checkpoint.iterdir() if p.is_file()))
    DAMAGES[kind](path, draw)
    return f"{path.name} {kind}"


def table(trials: Sequence[Trial]) -> str:
    """Trials, losses and tracebacks, by kind and ranks."""
    rows = Counter((t.kind, t.ranks) for t in trials)
    lines = [f"{'':14}ranks  trials  losses  tracebacks"]
    for (kind, ranks), count in rows.items():
        bad = [t.problem for t in trials if (t.kind, t.ranks) == (kind, ranks) and t.problem]
        traces = sum("traceback" in problem for problem in bad)
        lines.append(f"{kind:14}{ranks:5}{count:8}{len(bad) - traces:8}{traces:12}")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Run the command line; 0 if nothing was lost."""
    p = parser(PROGRAM, __doc__)
    p.add_argument("--seed", type=int, default=0, help="of the moments and the damages")
    args, given = parse(p, argv)
    torch.set_num_threads(1)
    counts = QUICK if args.quick else COUNTS
    out = args.out.resolve()
    begin, before = time.perf_counter(), Path.cwd()
    content: dict[str, Any] = {"meta": provenance(PROGRAM, given, args.quick), "counts": counts}
    with tempfile.TemporaryDirectory(prefix="prism-torture-") as scratch:
        os.chdir(scratch)
        try:
            t = Torture(args.seed)
            run = t.kills(counts["kills"], ranks=1)
            t.kills(counts["kills"], ranks=2)
            t.corruptions(counts["corruptions"], run)
            t.disks(counts["disks"], folder.saved_bytes(folder.newest(run)))
            t.doubles(counts["doubles"])
        finally:
            os.chdir(before)
    content["trials"] = [vars(trial) for trial in t.trials]
    content["seconds"] = round(time.perf_counter() - begin, 1)
    write_json(out, content)
    print(table(t.trials))
    print(json.dumps(content["counts"]), f"{content['seconds']:.0f} s; {args.out}")
    return int(any(trial.problem for trial in t.trials))


if __name__ == "__main__":
    sys.exit(main())
