"""``--smoke``: everything once, offline: train, save, kill -9, resume, sample, export.

Every rank starts a child process; the children train together. When a checkpoint is complete and
some steps have been done after it, all children are killed without warning and new ones resume.
The steps that are done twice must have given the same loss to the bit.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.distributed as dist

from prism.data import ByteTokenizer
from prism.engine.logs.log import read
from prism.engine.parallel.world import World, world
from prism.engine.settings import Settings
from prism.engine.store import folder
from prism.engine.store.export import export, load_checkpoint, load_export

FLAGS = (
    *("--preset", "tiny", "--set", "d_model=64", "num_layers=2", "num_rates=4"),
    *("--seq-len", "128", "--global-batch-size", "4", "--lr", "3e-3", "--eval-tokens", "2048"),
    *("--steps", "24", "--save-every", "8", "--eval-every", "0", "--log-every", "1"),
)
PROMPT = "The "
PATIENCE = 240.0  # seconds for a child to reach its first checkpoint


class SmokeError(Exception):
    """A part of the smoke test did not do what it should."""


def smoke(s: Settings) -> int:
    """Run it on the ranks that there are; 0 when all is well, 1 when not."""
    try:
        with world(s) as w, tempfile.TemporaryDirectory(prefix="prism-smoke-") as scratch:
            say = print if w.first else lambda text: None
            run = Path(_agreed(w, scratch)) / "run"
            begin = time.perf_counter()
            _kill_and_resume(run, w, say)
            if w.first:
                _use(run, say)
                say(f"smoke test passed in {time.perf_counter() - begin:.0f} s")
            w.barrier()
    except SmokeError as error:
        print(f"prism.run_scale: --smoke: {error}", file=sys.stderr)
        return 1
    return 0


def _kill_and_resume(run: Path, w: World, say: Callable[[str], None]) -> None:
    child = _start([*FLAGS, "--out-dir", str(run)], w)
    try:
        _wait_until_ahead(run, child, w)
    finally:
        child.kill()
        child.wait()
    w.barrier()
    before = {r["step"]: r["loss"] for r in read(run) if "loss" in r}
    saved = folder.newest(run)
    say(f"killed at step {max(before)}; the newest checkpoint is {saved.name}")
    w.barrier()
    child = _start(["--resume", str(run)], w)
    if w.any(child.wait() != 0):
        raise SmokeError("the resumed run failed")
    after = {r["step"]: r["loss"] for r in read(run) if "loss" in r}
    again = [step for step in before if step > int(saved.name.split("-")[1])]
    different = [step for step in again if before[step] != after.get(step)]
    if different or not again:
        raise SmokeError(f"steps {different} gave another loss after the resume")
    say(f"resumed; steps {again} gave the same loss to the bit")


def _use(run: Path, say: Callable[[str], None]) -> None:
    """Read the checkpoint, write some text, export, read the export."""
    tokenizer, model = ByteTokenizer(), load_checkpoint(run)
    prompt = torch.tensor(tokenizer.encode(PROMPT))
    text = model.generate(prompt, 60, temperature=0.7, seed=0)
    say(f"sample: {tokenizer.decode(text.tolist())!r}")
    file = run / "model.safetensors"
    export(run, file)
    if not torch.equal(load_export(file).generate(prompt, 60, temperature=0.7, seed=0), text):
        raise SmokeError("the exported model writes another text")
    say(f"export: {file.stat().st_size:,} bytes")


def _start(flags: Sequence[str], w: World) -> subprocess.Popen[bytes]:
    """This rank's child; the children form a group of their own."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("TORCHELASTIC")}
    if w.size > 1:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        env["MASTER_PORT"] = _agreed(w, port)
    return subprocess.Popen([sys.executable, "-m", "prism.run_scale", *flags], env=env)


def _agreed(w: World, text: str) -> str:
    """The text of the first rank, on every rank."""
    texts = [text]
    if w.size > 1:
        dist.broadcast_object_list(texts, src=0)
    return texts[0]


def _wait_until_ahead(run: Path, child: subprocess.Popen[bytes], w: World) -> None:
    """Wait until two steps are logged after a complete checkpoint, on every rank."""
    deadline = time.monotonic() + PATIENCE
    while True:
        done, enough = folder.complete(run), False
        if done:
            logged = max((r["step"] for r in read(run) if "loss" in r), default=0)
            enough = logged - int(done[-1].name.split("-")[1]) >= 2
        if w.any(not enough and (child.poll() is not None or time.monotonic() > deadline)):
            raise SmokeError("the training process ended or hung before its first checkpoint")
        if not w.any(not enough):
            return
        time.sleep(0.02)
