"""``python -m benchmarks.levers``: growth, token selection, curriculum and modular phases measured.

Every arm of every method has the rate that is best for it on a seed that is used for nothing else,
a rate that has decayed to zero when its loss is read, and the same text in the same order as the
other arms of its seed. Runs are written as they end; the same command goes on where it stopped.
Then ``python -m benchmarks.results`` writes RESULTS_LEVERS.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from types import ModuleType

import torch
from rich.console import Console

from benchmarks.levers import curriculum, growth, modular, selection
from benchmarks.levers.runs import Runs
from benchmarks.levers.text import Text
from benchmarks.page.command import parse, parser, provenance
from prism.command import STOPPED
from prism.whole_file import reason

PROGRAM = "benchmarks.levers"
SEEDS = 5
METHODS: dict[str, ModuleType] = {
    "growth": growth,
    "selection": selection,
    "curriculum": curriculum,
    "modular": modular,
}


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser(PROGRAM, __doc__.split("\n")[0])
    every = list(METHODS)
    p.add_argument("--part", nargs="+", default=every, metavar="NAME", help="default all")
    p.add_argument(
        "--data",
        default="pydoc",
        metavar="MIX",
        help="text, as of prism.run_scale; the curriculum takes its last source as the skill",
    )
    p.add_argument("--name", default="pydoc", help="of the text, for the page")
    p.add_argument("--seeds", type=int, default=SEEDS, metavar="N", help=f"default {SEEDS}")
    args, _ = parse(p, argv, counts=("seeds",), check=_check)
    torch.set_num_threads(1)
    console = Console(soft_wrap=True, highlight=False)
    try:
        text = Text(args.data, args.name)
        if "curriculum" in args.part:
            curriculum.divided(text)  # refuse now rather than after the other parts
        meta = provenance(PROGRAM, _shown(args), args.quick)
        for name in args.part:
            sizes = METHODS[name].SIZES[meta["profile"]]
            described = dataclasses.asdict(sizes)
            del described["rates"]  # every run names its own; more may be tried later
            if name != "modular":
                described |= {"text": text.describe()}
            runs = Runs(args.out, name, meta, described, console.print)
            METHODS[name].measure(text, sizes, runs, args.seeds)
    except KeyboardInterrupt:
        print(f"stopped; the same command goes on, from {args.out}", file=sys.stderr)
        return STOPPED
    except (ValueError, OSError) as error:
        p.error(reason(error))
    console.print(str(args.out))
    return 0


def _check(args: argparse.Namespace) -> None:
    for name in args.part:
        if name not in METHODS:
            raise ValueError(f"--part {name!r}: must be of {', '.join(METHODS)}")


def _shown(args: argparse.Namespace) -> list[str]:
    """The arguments as the results show them: no path of the machine, no name that stands above."""
    shown = ["--part", *args.part, "--seeds", str(args.seeds), "--data", "MIX", "--name", "NAME"]
    return [*shown, "--quick"] if args.quick else shown


if __name__ == "__main__":
    sys.exit(main())
