"""``python -m benchmarks.holo.million``: whether a million facts are pleasant.

A table of facts is ingested, the tape opened and asked, each in a process of its own: processor
seconds and peak memory of ``prism.ingest``, ``prism.ask``, ``bind_many``, opening, and the first
recall of a key as it is and of a misspelt one. Beside them what the imports alone take. Memory is
counted above that of the imports, and against the tape: its accumulator, its ledger, the texts of
its keys. Writes a JSON; the criteria are printed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.holo import phases
from benchmarks.holo.criteria import million_criteria
from benchmarks.page.command import ROOT, parse, parser, provenance, write_json
from benchmarks.page.criterion import console_table, judge

PROGRAM = "benchmarks.holo.million"
IMPORTS = "import torch, prism.holo"
FULL, QUICK = (1_000_000, 20_000), (2_000, 100)  # facts and values
ROUNDS = 3  # of what is short: the median counts


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser(PROGRAM, __doc__)
    p.add_argument("--seed", type=int, default=0, help="of the values; default 0")
    args, given = parse(p, argv)
    console = Console(soft_wrap=True, highlight=False)
    content: dict[str, Any] = {"meta": provenance(PROGRAM, given, args.quick) | {"threads": 1}}
    content |= measure(*(QUICK if args.quick else FULL), args.seed)
    paths = write_json(args.out, content)
    console.print(console_table("A million facts", judge(million_criteria, content)))
    console.print(", ".join(str(path) for path in paths))
    return 0


def measure(count: int, values: int, seed: int) -> dict[str, Any]:
    """Everything but ``meta`` of million.json."""
    content: dict[str, Any] = {"facts": count, "values": values, "seed": seed}
    with tempfile.TemporaryDirectory() as folder:
        table, tape = Path(folder, "facts.csv"), Path(folder, "facts.safetensors")
        bound = Path(folder, "bound.safetensors")
        with table.open("w", encoding="utf-8") as file:
            file.write("key,value\n")
            file.writelines(f"{key},{value}\n" for key, value in phases.facts(count, values, seed))
        content["bind"] = _phase("bind", bound, count, values, seed)
        content["ingest"] = _phase("ingest", tape, table)
        content["file_bytes"] = tape.stat().st_size
        key = phases.FACT[0].format(seed % count)
        content["imports"], content["command"], content["ask"] = [], [], []
        for _ in range(ROUNDS):
            content["imports"].append(run("-c", IMPORTS))
            content["command"].append(run("-m", "prism.ask", "--tape", str(tape), key))
            content["ask"].append(_phase("ask", tape, count, values, seed))
    return content


def run(*argv: str) -> dict[str, float]:
    """Run Python with one thread; its processor and wall seconds, and what its last line of output
    reports, if that is JSON."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    started = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, *argv], stdout=subprocess.PIPE, cwd=ROOT, env=environment
    )
    said = child.stdout.read()  # type: ignore[union-attr]
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"python {' '.join(argv)}: ended with exit code {child.returncode}")
    seconds = {"cpu": used.ru_utime + used.ru_stime, "wall": time.perf_counter() - started}
    last = said.decode().splitlines()[-1:]
    return seconds | (json.loads(last[0]) if last and last[0].startswith("{") else {})


def _phase(name: str, *argv: object) -> dict[str, float]:
    """A phase in a process of its own."""
    return run("-m", phases.__name__, name, *map(str, argv))


if __name__ == "__main__":
    sys.exit(main())
