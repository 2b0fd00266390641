"""``python -m benchmarks.speed.beside``: the step against the Transformer's beside a busy process.

Whoever shares a machine has fewer cores than threads, and then every parallel region waits for its
slowest thread: a step of many small operations suffers more than one of few large ones. A row is a
length: the ratio of PRISM's training step to the plain Transformer's, alone and beside a process
that only counts, the models turn and turn about. Asked for is a ratio of at most ``MOST`` times the
quiet one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table

from benchmarks.speed.against import ROOT, Checkout
from prism.command import Parser, command, output
from prism.record import describe, write_json

MOST = 2.0
SHAPES = ((16, 64, 31), (1, 2048, 21), (1, 8192, 7))  # batch, length, pairs
QUICK = ((2, 16, 2),)
RESULT = ROOT / "benchmarks" / "results" / "speed-beside.json"
COUNTS = "while True: pass"


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """``processes`` that only count, while the block runs."""
    running = [subprocess.Popen([sys.executable, "-c", COUNTS]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def measure(shapes: Sequence[tuple[int, int, int]], threads: int) -> list[dict[str, Any]]:
    """One row per length: both medians and their ratio, alone and beside one busy process."""
    here = Checkout(ROOT, threads)
    rows = []
    try:
        for batch, length, pairs in shapes:
            row: dict[str, Any] = {"batch": batch, "length": length}
            for name, others in (("alone", 0), ("beside", 1)):
                with busy(others):
                    row[name] = _ratio(here, batch, length, pairs)
            row["times"] = row["beside"]["ratio"] / row["alone"]["ratio"]
            rows.append(row)
    finally:
        here.close()
    return rows


def _ratio(here: Checkout, batch: int, length: int, pairs: int) -> dict[str, float]:
    seconds: dict[str, list[float]] = {"prism": [], "transformer": []}
    for pair in range(pairs + 1):  # the first warms up
        for model, spent in seconds.items():
            value, _ = here.step("train", model, batch, length)
            spent += [value] if pair else []
    found = {model: median(spent) for model, spent in seconds.items()}
    return found | {"ratio": found["prism"] / found["transformer"]}


@command
def main(argv: list[str] | None = None) -> int:
    """Measure, write the JSON and print the table; 1 if a ratio is above the bar."""
    p = Parser(prog="python -m benchmarks.speed.beside", description=__doc__)
    p.add_argument("--threads", type=int, default=os.cpu_count(), help="of torch")
    p.add_argument("--out", type=Path, default=RESULT, help="JSON of the rows")
    p.add_argument("--quick", action="store_true", help="one tiny size; shows it works")
    args = p.parse_args(argv)
    meta = describe("python -m benchmarks.speed.beside", "quick" if args.quick else "full")
    rows = measure(QUICK if args.quick else SHAPES, args.threads)
    write_json(args.out, {"meta": meta | {"threads": args.threads}, "rows": rows})
    table = Table("batch × length", "alone", "beside a busy process", f"times (≤ {MOST:g})")
    for row in rows:
        ratios = (row["alone"]["ratio"], row["beside"]["ratio"], row["times"])
        table.add_row(f"{row['batch']} × {row['length']:,}", *(f"{x:.2f}" for x in ratios))
    output().print(table)
    return int(any(row["times"] > MOST for row in rows))


if __name__ == "__main__":
    sys.exit(main())
