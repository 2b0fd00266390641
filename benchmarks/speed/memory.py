"""Peak memory of a training step, as the operating system sees it, in a process of its own.

    peak = largest resident set during the step - resident set before it

Before it, the process has built the model and done a step of ``WARM_UP`` tokens, so that weights,
gradients and libraries are not counted and what is left is the activations. A fresh process per
measurement keeps an allocator's leftovers out. The counters are those of ``/proc`` (Linux):
``ru_maxrss`` would do elsewhere but survives ``exec``, so a child starts with its parent's peak.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from benchmarks.page.command import ROOT
from benchmarks.speed.timing import random_tokens, training_step
from prism.baselines import build
from prism.config import PrismConfig

WARM_UP = 16
STATUS = Path("/proc/self/status")  # without it nothing can be measured


def peak_memory(config: PrismConfig, model: str, length: int) -> dict[str, Any]:
    """``{"model", "length", "bytes"}`` of a step on one sequence; ``bytes`` None and ``error`` set
    where the process did not come back, as when memory runs out."""
    question = {"config": config.to_dict(), "model": model, "length": length}
    question |= {"threads": torch.get_num_threads()}
    command = [sys.executable, "-m", "benchmarks.speed.memory", json.dumps(question)]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    row: dict[str, Any] = {"model": model, "length": length}
    if answer.returncode != 0:
        last = (answer.stderr.strip().splitlines() or ["no message"])[-1]
        return row | {"bytes": None, "error": f"exit code {answer.returncode}: {last}"}
    return row | {"bytes": int(answer.stdout)}


def measure(question: dict[str, Any]) -> int:
    """Bytes by which the step of :func:`peak_memory` raises the peak of this process."""
    torch.set_num_threads(question["threads"])
    config = PrismConfig.from_dict(question["config"])
    model = build(question["model"], config)
    training_step(model, random_tokens(config.vocab_size, 1, WARM_UP))
    tokens = random_tokens(config.vocab_size, 1, question["length"])
    before = _status("VmRSS")
    training_step(model, tokens)
    return max(0, _status("VmHWM") - before)


def _status(name: str) -> int:
    """A counter of this process, in bytes."""
    for line in STATUS.read_text("utf-8").splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"{STATUS}: no {name}; must be a Linux kernel that counts it")


if __name__ == "__main__":
    print(measure(json.loads(sys.argv[1])))
