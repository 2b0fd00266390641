"""Runs of ``run_scale`` in this process, in a folder of their own, with observers."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prism.engine.extension import Extension, Parts
from prism.engine.flags import given
from prism.engine.logs.log import read
from prism.engine.loop.observer import Observer
from prism.engine.run import run
from prism.run_scale import EXTENSIONS, parser


class Timed(Observer):
    """Another observer, with the processor seconds of its hooks; and those of whole steps.

    Args:
        inner: the observer; None = none, to time the steps alone.
    """

    def __init__(self, inner: Observer | None, name: str) -> None:
        self.inner, self.name = inner, name
        self.spent: list[float] = []
        self.began: list[float] = []

    def _call(self, hook: str, *args: Any) -> None:
        begin = time.process_time()
        if hook == "before_step":
            self.began.append(begin)
            self.spent.append(0.0)
        if self.inner is not None:
            getattr(self.inner, hook)(*args)
        self.spent[-1] += time.process_time() - begin

    def before_step(self, *args: Any) -> None:
        self._call("before_step", *args)

    def after_backward(self, *args: Any) -> None:
        self._call("after_backward", *args)

    def after_step(self, *args: Any) -> None:
        self._call("after_step", *args)

    def on_resume(self, run: Any) -> None:
        if self.inner is not None:
            self.inner.on_resume(run)

    def state_dict(self) -> dict[str, Any]:
        return {} if self.inner is None else self.inner.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self.inner is not None:
            self.inner.load_state_dict(state)

    def share(self, skip: int = 3) -> float:
        """Seconds of the hooks over seconds of the steps without them, the first steps left out."""
        whole = self.began[-1] - self.began[skip]
        mine = sum(self.spent[skip:-1])
        return mine / (whole - mine)


def trained(
    folder: Path, flags: Sequence[str], observers: Sequence[Observer] = (), resume: bool = False
) -> dict[str, Any]:
    """Train; the last held-out record.

    Raises:
        RuntimeError: the run did not end well.
        InterruptedError: it was asked to stop before its end.
    """
    where = ["--resume", str(folder)] if resume else ["--out-dir", str(folder)]
    extra = Extension("measured", build=lambda *_: Parts(observers=observers))
    values = given(parser().parse_args([*flags, *where]))
    code = run(values, [*EXTENSIONS, extra])
    if code != 0:
        raise RuntimeError(f"{folder}: the run ended with exit code {code}")
    records = [r for r in read(folder) if "held_out_loss" in r]
    if not records:
        raise InterruptedError(f"{folder}: the run was stopped; the same command goes on")
    return records[-1]


def gone_on(
    folder: Path, flags: Sequence[str], observers: Sequence[Observer] = ()
) -> dict[str, Any]:
    """As :func:`trained`; from the last checkpoint, if an earlier start was stopped after one."""
    if any(folder.glob("step-*/COMPLETE")):
        return trained(folder, [], observers, resume=True)
    shutil.rmtree(folder, ignore_errors=True)  # stopped before its first checkpoint
    return trained(folder, flags, observers)
