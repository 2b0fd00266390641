"""Exactness, size and speed of the instruments, without which no figure of theirs counts.

replay     every step of a run against checksums taken without the recorder; the same bytes
           twice, and from a run that was stopped and resumed
dead       the log of the dead rows against raw bytes, and processor seconds of its hooks
whole      the same of the whole table, over the steps from 300 on, at 1,024 tokens a step
adamw      AdamW under glass against torch's over 1,000 steps in four forms
planted    a structure planted among rows, and noise of the same size
"""

from __future__ import annotations

import hashlib
import shutil
import time
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch
from torch import nn
from torch.optim import AdamW

from benchmarks.freeze.runs import Checks, tracers_of
from benchmarks.page.scale import Timed, trained
from prism.probe.extension import dead_ids
from prism.probe.glass import Glass, torch_adamw
from prism.probe.readings.crystal import crystal
from prism.probe.store.events import applied
from prism.probe.store.log import Log
from prism.probe.store.ordinal import Bits, bits_of, bits_of_ordinals, ordinals
from prism.probe.store.recorder import Recorder

MATRIX = "embedding.weight"
BF16 = ("--dtype", "bf16", "--weights", "bf16")
SMALL = ("--data", "pydoc", "--model", "transformer", "--set", "d_model=16", "num_layers=1",
         "--seq-len", "32", "--global-batch-size", "1", "--eval-every", "0", "--eval-tokens", "64",
         "--device", "cpu", "--log-every", "1000", "--no-async-save",
         "--beta2", "0.999")  # fmt: skip
SIZES = (814, 704, 306, 228, 11, 10, 6, 5, 4, 4, 3, 3, 2)  # rows of the planted classes
SINGLES, WIDTH = 112, 64


def replay(scratch: Path, steps: int) -> dict[str, Any]:
    """The run of ``steps`` steps, again, and in two parts."""
    flags = [*SMALL, *BF16, "--steps", str(steps), "--save-every", str(steps // 2), "--keep", "9",
             "--probe", "embedding"]  # fmt: skip
    checks = Checks(MATRIX)
    trained(scratch / "one", flags, [checks])
    trained(scratch / "two", flags)
    where = scratch / "two"
    twice = _digest(scratch / "one") == _digest(where)
    shutil.rmtree(where / f"step-{steps:08d}")
    trained(where, [], resume=True)
    log = Log(scratch / "one" / f"{MATRIX}.probe")
    exact, bits = 0, log.start()

    for step, movement in log.movements():
        applied(bits.reshape(-1), movement)
        exact += crc32(bits.tobytes()) == checks.sums[step]
    return {
        "steps": steps,
        "exact_steps": exact,
        "same_bytes_twice": twice,
        "same_bytes_resumed": _digest(scratch / "one") == _digest(where),
        "sha256": _digest(scratch / "one"),
    }


def _digest(run: Path) -> str:
    return hashlib.sha256((run / f"{MATRIX}.probe").read_bytes()).hexdigest()


class DeadRecorder(Recorder):
    """Recorder of the rows that are dead in the data of its run."""

    def before_step(self, run: Any, batch: Any) -> None:
        if self.before is None:
            self.rows = dead_ids(run.spec)
        super().before_step(run, batch)


def recorded(
    scratch: Path, flags: list[str], steps: int, since: int, dead: bool, tracers: bool
) -> dict[str, Any]:
    """Size and cost of a log, of dead rows or of all.

    Args:
        since: the size is that of the steps from here on.
        tracers: drive the variants of the plan ``causes`` too.
    """
    path = scratch / f"{MATRIX}.probe"
    kind = DeadRecorder if dead else Recorder
    header = {"seed": 0, "settings": {"steps": steps}, "tokenizer": "", "data": ""}
    timed = Timed(kind(path, MATRIX, header), "timed")
    more = ["--tracers", "causes", "--save-every", "250"] if tracers else []
    held_out = trained(scratch, [*flags, "--steps", str(steps), *more], [timed])
    log = Log(path)
    blocks = [b for b in log.steps if b.first >= since]
    count = sum(b.count for b in blocks)
    raw = count * len(log.rows) * log.width * np.dtype(log.format.bits).itemsize
    size = sum(b.size for b in blocks)
    found = {
        "steps": steps,
        "since": since,
        "rows": len(log.rows),
        "width": log.width,
        "raw_bytes": raw,
        "bytes": size,
        "times_below_raw": raw / size,
        "share_of_step": timed.share(),
        "held_out_loss": held_out["held_out_loss"],
    }
    if tracers:
        report = tracers_of(scratch)
        variants = report.pop("variants")
        found["tracers"] = {**report, "rows": len(report["rows"])}
        found["freezing"] = {name: v["freezing"] for name, v in variants.items()}
    return found


def adamw(steps: int = 1000) -> list[dict[str, Any]]:
    """The instrument beside torch's optimizer, by form."""
    rows = []
    for dtype, name in ((torch.bfloat16, "bf16"), (torch.float32, "fp32")):
        for fused in (True, False):
            g = torch.Generator().manual_seed(0)
            theirs = nn.Parameter((torch.randn(300, 64, generator=g) * 0.02).to(dtype))
            form = {"fused": True} if fused else {"foreach": False}
            reference = AdamW([theirs], 1e-3, (0.9, 0.999), weight_decay=0.1, **form)
            glass = Glass(theirs, torch_adamw(1e-3, (0.9, 0.999), 0.1, fused))
            equal = 0
            for step in range(steps):
                grad = torch.randn(300, 64, generator=g) * 0.99**step
                theirs.grad = grad.to(dtype)
                reference.step()
                glass.step(theirs.grad.clone(), 1e-3, causes=step % 100 == 0)
                equal += torch.equal(glass.p, theirs)
            rows.append({"dtype": name, "fused": fused, "steps": steps, "equal_steps": equal})
    return rows


def planted() -> dict[str, Any]:
    """2,100 rows in 13 classes and 112 singletons, five of the 125 chained by neighbours across a
    binade and across zero, a hundred rows with the negative zero; and noise."""
    g = torch.Generator().manual_seed(1)
    rows = bits_of((torch.randn(len(SIZES) + SINGLES, WIDTH, generator=g) * 0.02).bfloat16())
    rows[0, 0] = bits_of(torch.tensor([0.25]).bfloat16())[0] - 1
    rows[0, 1] = 1
    rows[1] = _moved(rows[0], 0, 1)
    rows[2] = _moved(rows[0], 1, -1)
    rows[13] = _moved(rows[2], 1, -1)
    rows[14] = _moved(rows[13], 1, -1)
    cloud = np.concatenate([np.repeat(rows[:13], SIZES, axis=0), rows[13:]])
    cloud[sum(SIZES[:2]) :][:100, 1] = np.iinfo(np.int16).min
    begin = time.process_time()
    found = crystal(cloud[np.random.default_rng(2).permutation(len(cloud))]).summary()
    seconds = time.process_time() - begin
    noise = bits_of((torch.randn(len(cloud), WIDTH, generator=g) * 0.02).bfloat16())
    return {
        "planted": {"rows": len(cloud), "classes": list(SIZES), "neighbours": 5, "component": 5},
        "found": found,
        "noise": crystal(noise).summary(),
        "seconds": seconds,
    }


def _moved(row: Bits, column: int, by: int) -> Bits:
    place = ordinals(row).astype(np.int16)
    place[column] += by
    return bits_of_ordinals(place)
