"""Killed at any moment, a run goes on; asked to stop, it saves first."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from prism.engine.logs.log import read
from prism.engine.logs.meter import Meter
from prism.engine.loop.guard import Stop, stop_on_signals
from prism.engine.settings import Settings
from prism.engine.smoke import FLAGS
from prism.engine.store import folder
from prism.engine.store.export import load_checkpoint
from tests.engine.fakes import Ranks, fit, small, small_trainer

RUN_SCALE = (sys.executable, "-m", "prism.run_scale")
LONG = ["100000" if flag == "24" else flag for flag in FLAGS]  # steps
WAIT = 120.0  # seconds


def start(*flags: str, out: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([*RUN_SCALE, *flags], env=env, text=True, stdout=out)


def until(reached: object, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + WAIT
    while not reached():  # type: ignore[operator]
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Python's own handling of SIGINT, also where whoever started the tests ignores it (nohup)."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_signals_are_requests_inside_and_the_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_on_signals() as stop:
        assert not stop.asked
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
    assert signal.getsignal(signal.SIGTERM) == before


def stopped_at(run: Path) -> tuple[int, str]:
    """Ask to stop during the second step, on the last rank only."""
    with small_trainer(small(steps=6), run) as t:
        stop = Stop()
        step = t._train_step

        def counted(meter: object) -> None:
            step(meter)  # type: ignore[arg-type]
            if t.step == 2 and t.w.rank == t.w.size - 1:
                stop.ask()

        t._train_step = counted  # type: ignore[method-assign]
        meter = Meter(t.w, t.spec.config.expert_kinds, 0.0, None)
        done = t.fit(meter, lambda record: None, stop)
        assert not done
        return t.step, folder.newest(run).name


def test_every_rank_stops_and_saves_when_one_is_asked(pair: Ranks, tmp_path: Path) -> None:
    assert pair.run(stopped_at, tmp_path, tmp_path / "run") == [(2, "step-00000002")] * 2


def data_that_die(run: Path) -> tuple[str, str, int]:
    """The data of the last rank cannot be read at the third step; class and text of the error."""
    with small_trainer(small(steps=6, save_every=100), run) as t:
        feed, read_on = t.spec.feed, t.spec.feed.next

        def dies() -> object:
            rows = read_on()
            if t.step == 2 and t.w.rank == t.w.size - 1:
                raise ValueError("source x: gone")
            return rows

        feed.next = dies  # type: ignore[method-assign]
        with pytest.raises(ValueError) as error:
            fit(t)
        return type(error.value).__name__, str(error.value), t.step


def gone_on(run: Path, resume: bool) -> list[float]:
    start = folder.newest(run) if resume else None
    with small_trainer(small(steps=6, save_every=100), run, start, resume) as t:
        return [r["loss"] for r in fit(t) if "loss" in r]


def test_every_rank_saves_when_the_data_of_one_die(pair: Ranks, tmp_path: Path) -> None:
    first, last = pair.run(data_that_die, tmp_path, tmp_path / "run")
    assert first[0] == "ElsewhereError"
    assert last[1].startswith("source x: gone; step 2 is saved, --resume")
    assert first[2] == last[2] == 2
    whole = pair.run(gone_on, tmp_path, tmp_path / "whole", False)
    assert pair.run(gone_on, tmp_path, tmp_path / "run", True) == [x[2:] for x in whole]


@pytest.mark.parametrize("file", ["run.json", "rank0000.json", "shard"])
def test_a_save_that_did_not_end_leaves_the_one_before(file: str, tmp_path: Path) -> None:
    with small_trainer(small(steps=3), tmp_path) as t:
        fit(t)
    whole = folder.newest(tmp_path)
    torn = tmp_path / "step-00000004.tmp"
    torn.mkdir()
    for path in whole.iterdir():
        data = path.read_bytes()
        if path.name != folder.MARK:
            cut = len(data) // 2 if path.name.startswith(file) else len(data)
            (torn / path.name).write_bytes(data[:cut])
    assert folder.newest(tmp_path) == whole
    load_checkpoint(tmp_path)


@pytest.mark.slow
def test_sigterm_saves_and_exits_cleanly(tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = start(*LONG, "--out-dir", str(run), out=subprocess.PIPE)
    until(lambda: (run / "metrics.jsonl").is_file() and len(read(run)) > 2, process)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=WAIT)
    assert process.returncode == 0
    assert "stopped; --resume" in out
    assert json.loads((folder.newest(run) / "run.json").read_text())["step"] >= 3


@pytest.mark.slow
def test_at_ten_random_moments_of_saving_the_newest_checkpoint_is_whole(tmp_path: Path) -> None:
    draw = random.Random(0)
    run = tmp_path / "run"
    often = ["1" if before == "--save-every" else flag
             for before, flag in zip(["", *LONG], LONG, strict=False)]  # fmt: skip
    flags = [*often, "--out-dir", str(run)]
    reached = 0
    for _ in range(10):
        process = start(*flags)
        until(lambda: len(folder.complete(run)) > 0, process)
        first = folder.complete(run)[-1]
        until(lambda seen=first: folder.complete(run)[-1:] != [seen], process)
        time.sleep(draw.uniform(0, 0.2))
        process.kill()
        process.wait()
        step = int(folder.newest(run).name.split("-")[1])
        assert step > reached
        assert all(p.isfinite().all() for p in load_checkpoint(run).parameters())
        reached, flags = step, ["--resume", str(run)]


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2])
def test_the_smoke_test_passes(ranks: int, tmp_path: Path) -> None:
    launch = [sys.executable, "-m", "prism.run_scale"]
    if ranks > 1:
        launch = [
            *(sys.executable, "-m", "torch.distributed.run"),
            *("--nproc_per_node", str(ranks), "--standalone", "-m", "prism.run_scale"),
        ]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*launch, "--smoke"], env=env, text=True, capture_output=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "smoke test passed" in done.stdout


@pytest.mark.slow
def test_twenty_steps_are_ten_and_a_kill_and_ten(tmp_path: Path) -> None:
    flags = ["20" if flag == "24" else "10" if flag == "8" else flag for flag in FLAGS]
    assert Settings().keep == 2
    through = start(*flags, "--out-dir", str(tmp_path / "a"))
    assert through.wait() == 0
    killed = start(*flags, "--out-dir", str(tmp_path / "b"))
    until(lambda: len(folder.complete(tmp_path / "b")) > 0, killed)
    killed.kill()
    killed.wait()
    for late in folder.complete(tmp_path / "b")[1:]:
        late.rename(tmp_path / late.name)
    assert start("--resume", str(tmp_path / "b")).wait() == 0
    losses = [[r["loss"] for r in read(tmp_path / x) if "loss" in r] for x in "ab"]
    assert losses[0] == losses[1]
    a, b = (folder.newest(tmp_path / x) for x in "ab")
    assert (a / "rank0000.json").read_text() == (b / "rank0000.json").read_text()
    for path in a.glob("*.safetensors"):
        with safe_open(path, "pt") as x, safe_open(b / path.name, "pt") as y:
            assert set(x.keys()) == set(y.keys())
            for name in x.keys():  # noqa: SIM118 - not a dictionary
                assert torch.equal(x.get_tensor(name), y.get_tensor(name)), name
