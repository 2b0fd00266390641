"""``python -m benchmarks.levers``: do growth, token selection, curriculum and modular phases pay?

Every arm of every lever has the rate that is best for it on a seed that is used for nothing else,
a rate that has come down to zero when its loss is read, and the same text in the same order as the
other arms of its seed. Runs are written as they end; the same command goes on where it stopped.
Then ``python -m benchmarks.levers.page`` writes RESULTS_LEVERS.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from benchmarks.levers import curriculum as levers_curriculum
from benchmarks.levers import growth as levers_growth
from benchmarks.levers import modular as levers_modular
from benchmarks.levers import selection as levers_selection
from benchmarks.levers.runs import Runs
from benchmarks.levers.sizes import CURRICULUM, GROWTH, MODULAR, SELECTION
from benchmarks.levers.text import Text
from benchmarks.page.command import RESULTS, at_least, provenance
from prism.command import STOPPED, Parser, reason

PROGRAM = "benchmarks.levers"
FILE = "levers.json"
SEEDS = 5
MEASURES: dict[str, Callable[..., None]] = {
    "growth": levers_growth.measure,
    "selection": levers_selection.measure,
    "curriculum": levers_curriculum.measure,
    "modular": levers_modular.measure,
}
SIZES: dict[str, dict[str, Any]] = {
    "growth": GROWTH,
    "selection": SELECTION,
    "curriculum": CURRICULUM,
    "modular": MODULAR,
}
PARTS = tuple(MEASURES)


def parser() -> Parser:
    """The command line."""
    p = Parser(prog=f"python -m {PROGRAM}", description=__doc__.split("\n")[0])
    p.add_argument("--part", nargs="+", default=list(PARTS), metavar="NAME", help="default all")
    p.add_argument(
        "--data",
        default="pydoc",
        metavar="MIX",
        help="text, as of prism.run_scale; the curriculum takes its last source as the skill",
    )
    p.add_argument("--name", default="pydoc", help="of the text, for the page")
    p.add_argument("--out", type=Path, default=RESULTS / FILE, help="the JSON to write or go on")
    p.add_argument("--seeds", type=int, default=SEEDS, metavar="N", help=f"default {SEEDS}")
    p.add_argument("--quick", action="store_true", help="tiny sizes: shows that it works, no more")
    return p


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser()
    args = p.parse_args(argv)
    profile = "quick" if args.quick else "full"
    torch.set_num_threads(1)
    console = Console(soft_wrap=True)

    def say(line: str) -> None:
        console.print(line, highlight=False)

    try:
        at_least(1, "--seeds", args.seeds)
        for name in args.part:
            if name not in PARTS:
                raise ValueError(f"--part {name!r}: must be of {', '.join(PARTS)}")
        text = Text(args.data, args.name)
        if "curriculum" in args.part:
            levers_curriculum.divided(text)  # refuse now rather than after the other parts
        meta = provenance(PROGRAM, _shown(args), profile)
        for name in args.part:
            sizes = SIZES[name][profile]
            described = dataclasses.asdict(sizes)
            del described["rates"]  # every run names its own; more may be tried later
            if name != "modular":
                described |= {"text": text.describe()}
            runs = Runs(args.out, name, meta, described, say)
            MEASURES[name](text, sizes, runs, args.seeds)
    except KeyboardInterrupt:
        print(f"stopped; the same command goes on, from {args.out}", file=sys.stderr)
        return STOPPED
    except (ValueError, OSError) as error:
        p.error(reason(error))
    say(str(args.out))
    return 0


def _shown(args: argparse.Namespace) -> list[str]:
    """The arguments as the results show them: no path of the machine, no name that stands above."""
    shown = ["--part", *args.part, "--seeds", str(args.seeds), "--data", "MIX", "--name", "NAME"]
    return [*shown, "--quick"] if args.quick else shown


if __name__ == "__main__":
    sys.exit(main())
