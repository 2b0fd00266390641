"""A run on the terminal: a progress bar, or plain lines where there is no terminal.

A line is at most 100 columns wide. On a terminal the bar shows the last numbers, and only
validations leave a line; elsewhere (a file, a pipe) every log line is one. A terminal that goes
away does not end the run (:class:`prism.command.LastingStream`).
"""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Table
from rich.text import Text

from prism.command import plain
from prism.engine.logs.clock import spelled

WIDTH = 100
PATIENCE = 10.0  # seconds without a word during a validation, where there is no terminal


class _Eta(ProgressColumn):
    """Time to go as the last record gives it, counted down since."""

    def render(self, task: Task) -> Text:
        until = task.fields.get("until")
        if until is None:
            return Text("")
        return Text(f"ETA {spelled(max(0.0, until - time.monotonic()))}")


class Terminal:
    """Destination of records, texts and tables; also the display of a meter.

    Args:
        steps: of the run.
        console: default stdout.
    """

    def __init__(self, steps: int, console: Console | None = None) -> None:
        if console is None:
            console = Console(highlight=False)
        self.console, self.steps = console, steps
        self.step = 0
        self.bar: Progress | None = None
        self.spoke = 0.0
        self.numbers = ""

    def say(self, text: str) -> None:
        """A text, broken at spaces."""
        width = min(self.console.width, WIDTH) if self.console.is_terminal else WIDTH
        for line in text.splitlines() or [""]:
            self._line("\n".join(_wrapped(line, width)))

    def show(self, table: Table) -> None:
        """A table."""
        if not self.console.is_terminal:
            self.console.width = WIDTH
        self.console.print(table)

    def settings(self, flags: Iterable[str], everything: bool) -> None:
        """The settings that are in force, as flags: those that were chosen, or all."""
        shown = list(flags) or ["all default"]
        if not everything:
            shown.append("(--show-settings shows the rest)")
        self.say(
            "settings: " + "  ".join(plain(x).replace(" ", "\N{NO-BREAK SPACE}") for x in shown)
        )

    def begin(self, step: int) -> None:
        """The run goes on after ``step``; on a terminal the bar appears."""
        self.step = step
        if not self.console.is_terminal or self.bar is not None:
            return
        self.bar = Progress(
            TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[numbers]}"),
            _Eta(),
            console=self.console,
            expand=True,
            refresh_per_second=4,
            transient=True,
        )
        self.bar.add_task("run", total=self.steps, completed=step, numbers="", until=None)
        self.bar.start()

    def stepped(self) -> None:
        """A step is done."""
        self.step += 1
        if self.bar is not None:
            self.bar.update(self.bar.task_ids[0], completed=self.step)

    def validating(self, done: int, total: int) -> None:
        """So many of the forward passes of a validation are done."""
        now = time.monotonic()
        if self.bar is not None:
            left = self.numbers if done == total else f"validation {done}/{total}"
            self.bar.update(self.bar.task_ids[0], numbers=left)
        elif done == 1 or done == total:
            self.spoke = now
        elif now - self.spoke > PATIENCE:
            self.spoke = now
            self._line(f"step {self.step}/{self.steps}  validation {done}/{total}")

    def write(self, record: Mapping[str, Any]) -> None:
        """``step 20/1000  loss 2.345  3.384 bits/byte  ...``, and the bar's numbers."""
        step = f"step {record['step']:>{len(str(self.steps))}}/{self.steps}"
        if "held_out_loss" in record:
            self._line(fitting([step, *held_out_parts(record)], WIDTH))
        elif "loss" in record or "eta_seconds" in record:
            parts = parts_of(record)
            if self.bar is None:
                self._line(fitting([step, *parts, *details_of(record)], WIDTH))
                return
            room = min(self.console.width, WIDTH) - 2 * len(step) - 14
            eta = f"ETA {spelled(record['eta_seconds'])}"
            self.numbers = fitting([part for part in parts if part != eta], room)
            until = time.monotonic() + record["eta_seconds"]
            self.bar.update(self.bar.task_ids[0], numbers=self.numbers, until=until)

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def _line(self, text: str) -> None:
        self.console.print(text, markup=False, soft_wrap=True)


def parts_of(record: Mapping[str, Any]) -> list[str]:
    """The numbers of a log line that matter most, in words."""
    parts = []
    if "loss" in record:
        parts.append(f"loss {record['loss']:.4f}")
    if "bits_per_byte" in record:
        parts.append(f"{record['bits_per_byte']:.3f} bits/byte")
    if "tokens_per_second" in record:
        parts.append(f"{_count(record['tokens_per_second'])} tokens/s")
    if "eta_seconds" in record:
        parts.append(f"ETA {spelled(record['eta_seconds'])}")
    if record.get("skipped"):
        parts.append(f"{record['skipped']} skipped")
    if record.get("passes"):
        parts.append(passes_text(record["passes"].values()))
    return parts


def details_of(record: Mapping[str, Any]) -> list[str]:
    """The numbers that follow where there is room."""
    parts = []
    if "selected" in record:
        parts.append(f"{record['selected']:.0%} of targets")
    if "mfu" in record:
        parts.append(f"MFU {record['mfu']:.1%}")
    if "grad_norm" in record:
        parts.append(f"grad {record['grad_norm']:.3g}")
    return parts


def held_out_parts(record: Mapping[str, Any]) -> list[str]:
    """The numbers of a validation, in words."""
    parts = [f"held out: loss {record['held_out_loss']:.4f}"]
    if "held_out_bits_per_byte" in record:
        parts.append(f"{record['held_out_bits_per_byte']:.3f} bits/byte")
    if "validation_seconds" in record:
        parts.append(f"in {record['validation_seconds']:.1f} s")
    return parts


def passes_text(passes: Iterable[float]) -> str:
    """``0.42 passes``, or ``0.1-3 passes`` where sources differ."""
    ordered = sorted(passes)
    low, high = (f"{x:.2g}" if x < 10 else f"{x:.0f}" for x in (ordered[0], ordered[-1]))
    if low != high:
        return f"{low}-{high} passes"
    return "1 pass" if low == "1" else f"{low} passes"


def fitting(parts: Iterable[str], width: int) -> str:
    """The parts, two spaces between, as many as fit; the first always does."""
    text = ""
    for part in parts:
        longer = f"{text}  {part}" if text else part
        if text and len(longer) > width:
            break
        text = longer
    return text


def _count(number: float) -> str:
    """``123``, ``12,345``, ``1.23M``."""
    return f"{number:,.0f}" if number < 1e6 else f"{number / 1e6:.3g}M"


def _wrapped(line: str, width: int) -> list[str]:
    """``line`` in lines of at most ``width``; words, e.g. paths, stay whole."""
    whole = {"break_long_words": False, "break_on_hyphens": False}
    lines = textwrap.wrap(line, width, subsequent_indent="  ", **whole)
    return [x.replace("\N{NO-BREAK SPACE}", " ") for x in lines] or [""]
