"""Command line of a benchmark: the flags that all have, provenance, and writing the JSON."""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

from benchmarks.page.figure import draw
from prism import record
from prism.command import Parser
from prism.record import cpu_count, describe, now

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"


def parser(program: str, doc: str, quick: bool = True) -> Parser:
    """``--out`` (default: the file of the benchmark in ``RESULTS``) and ``--quick``."""
    p = Parser(prog=f"python -m {program}", description=doc)
    out = RESULTS / f"{program.rpartition('.')[2]}.json"
    p.add_argument("--out", type=Path, default=out, help="the JSON to write")
    if quick:
        text = "tiny sizes: shows that it works, no more"
        p.add_argument("--quick", action="store_true", help=text)
    return p


def parse(
    p: Parser,
    argv: Sequence[str] | None,
    counts: Sequence[str] = (),
    check: Callable[[argparse.Namespace], None] | None = None,
) -> tuple[argparse.Namespace, list[str]]:
    """The arguments, parsed and as given; sets torch's threads where there is ``--threads``.

    Args:
        counts: options that must be at least 1 where they are given.
        check: raises ValueError on anything else that is wrong; an error ends in one line.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    args = p.parse_args(given)
    try:
        for name in counts:
            value = getattr(args, name)
            if value is not None and value < 1:
                raise ValueError(f"--{name} {value}: must be >= 1")
        if check is not None:
            check(args)
    except ValueError as error:
        p.error(str(error))
    if hasattr(args, "threads"):
        torch.set_num_threads(args.threads or cpu_count())
    return args, given


def provenance(program: str, argv: Sequence[str], quick: bool) -> dict[str, Any]:
    """The ``meta`` of a benchmark file: versions, machine, commit, command, threads, and how busy
    the machine was at the start. Paths within the project are relative to it, of others the name is
    kept, as where they lie is nobody's business."""
    shown = [arg.replace(f"{ROOT}{os.sep}", "") for arg in argv]
    shown = [Path(arg).name if Path(arg).is_absolute() else arg for arg in shown]
    command = shlex.join(["python", "-m", program, *shown])
    meta = describe(command, "quick" if quick else "full")
    busy = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    return meta | {"threads": torch.get_num_threads(), "cpu": _cpu_name(), "load_average": busy}


def write_json(
    path: Path, content: dict[str, Any], figure: Callable[..., Figure] | None = None
) -> list[Path]:
    """Write a benchmark file, with the time of the end in its ``meta``, and its figure beside it;
    the paths."""
    content["meta"]["finished"] = now()
    record.write_json(path, content)
    return [path] if figure is None else [path, *draw(figure, content, path)]


def _cpu_name() -> str:
    """Model of the processor where the system tells it, else its architecture."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
