"""``python -m prism.train``: train models on tasks and compare them."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

import torch
from rich.console import Console

from prism.baselines import MODELS as ALL_MODELS
from prism.command import STOPPED, Parser, outlive_the_terminal, output
from prism.compare.comparison import Comparison
from prism.compare.flags import FULL_MODELS, plan_of
from prism.compare.protocol import (
    BATCH_SIZE,
    FULL_SEEDS,
    MODELS,
    SEARCH_SEEDS,
    SEARCH_SHARE,
    ComparisonPlan,
)
from prism.compare.report import write_report
from prism.compare.results import Results
from prism.compare.summary import remarks, summarise, terminal_table
from prism.record import cpu_count, describe
from prism.whole_file import reason
from tasks import SUITES

EXAMPLES = """\
examples:
  python -m prism.train --compare                              quick, about 10 minutes
  python -m prism.train --compare --full                       the whole protocol, hours
  python -m prism.train --compare --suite mad                   five tasks of MAD
  python -m prism.train --task induction --model prism --steps 50
  python -m prism.train --report runs/compare-quick            table and report again
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = Parser(
        prog="python -m prism.train",
        description=__doc__,
        epilog=EXAMPLES,
    )
    what = p.add_argument_group("what to run (one of)")
    what.add_argument("--compare", action="store_true", help="the models on the tasks")
    what.add_argument(
        "--sweep",
        action="store_true",
        help="search rate, warm-up and dropout of each model until all neighbours are worse, at "
        f"1/{SEARCH_SHARE} of the steps (all, where data repeats); the best on validation go to "
        "DIR/recipes.json",
    )
    what.add_argument(
        "--full", action="store_true", help=f"the sweep, then {FULL_SEEDS} seeds at the best recipe"
    )
    what.add_argument("--model", metavar="NAME", help=f"one model: {', '.join(ALL_MODELS)}")
    what.add_argument("--report", metavar="DIR", type=Path, help="table and report.html again")
    how = p.add_argument_group("how")
    which = how.add_mutually_exclusive_group()
    which.add_argument("--task", nargs="+", metavar="NAME", help="tasks by name")
    which.add_argument(
        "--suite",
        choices=tuple(SUITES),
        help="a group of tasks; default core, or mini_lm alone with --corpus",
    )
    how.add_argument(
        "--models",
        metavar="A,B",
        help=f"default {','.join(MODELS)}; with --sweep and --full {','.join(FULL_MODELS)}",
    )
    how.add_argument("--steps", type=int, help="steps of every run; default depends on the task")
    how.add_argument("--seeds", type=int, metavar="N", help="number of seeds")
    how.add_argument("--seed", type=int, default=0, help="the first seed")
    how.add_argument(
        "--search-seeds", type=int, metavar="N", help=f"seeds of a search; default {SEARCH_SEEDS}"
    )
    how.add_argument("--lr", type=float, help="one learning rate for all; default as swept")
    how.add_argument("--warm-up", type=float, metavar="S", help="share of the steps; as swept")
    how.add_argument("--dropout", type=float, metavar="P", help="one for all; default as swept")
    how.add_argument("--all-arms", action="store_true", help="show every arm, not the better one")
    how.add_argument("--batch-size", type=int, default=BATCH_SIZE, help="sequences per step")
    how.add_argument("--corpus", metavar="FILE", help="text for mini_lm, may be .gz")
    how.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    how.add_argument("--workers", type=int, help="runs at once; default one per core, 1 on cuda")
    how.add_argument(
        "--out", type=Path, metavar="DIR", help="results folder; resumes what is there"
    )
    return p


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    outlive_the_terminal()
    p = parser()
    args = p.parse_args(argv)
    console = output()
    try:
        if args.report is not None:
            if not (args.report / "results.json").is_file():
                raise ValueError(
                    f"--report {args.report}: must be a folder that holds a results.json"
                )
            _show(Results(args.report), console, args.all_arms)
            return 0
        plan, mode = plan_of(args)
        device = _device(args.device)
        name = f"train-{args.model}" if mode == "single" else f"compare-{mode}"
        results = Results(args.out or Path("runs") / name)
    except ValueError as error:
        p.error(str(error))
    workers = args.workers or (1 if device == "cuda" else cpu_count())
    command = shlex.join(["python", "-m", "prism.train", *argv])
    try:
        results.resume(describe(command, mode, device, workers, threads_per_worker=1))
        comparison = Comparison(results, console, workers, device)
        return _run(comparison, plan, mode, args.all_arms)
    except OSError as error:  # the disk is full, the folder cannot be written
        p.error(f"{reason(error)}; {len(results.runs)} runs are in {results.path}")


def _run(comparison: Comparison, plan: ComparisonPlan, mode: str, all_arms: bool) -> int:
    results, console = comparison.final, comparison.console
    console.print(f"results go to {results.folder}", markup=False, highlight=False)
    try:
        if mode == "full":
            comparison.full(plan)
        elif mode == "sweep":
            for line in comparison.search_lines(comparison.search(plan)):
                console.print(line, markup=False, highlight=False)
            return 0
        else:
            comparison.run(plan.jobs(phase=mode))
    except KeyboardInterrupt:
        now = comparison.results
        now.write()
        say = f"stopped; {len(now.runs)} runs are in {now.path}; the same command continues"
        print(say, file=sys.stderr)
        return STOPPED
    results.write()
    _show(results, console, all_arms)
    return 0


def _show(results: Results, console: Console, all_arms: bool) -> None:
    summaries = summarise(results.runs, all_arms)
    console.print(terminal_table(results.meta, summaries))
    for line in remarks(summaries):
        console.print(f"  {line}", markup=False, highlight=False)
    report = write_report(results, all_arms)
    console.print(f"results: {results.path}\nreport:  {report}", markup=False, highlight=False)


def _device(name: str) -> str:
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device cuda: torch finds no GPU; must be cpu or auto here")
    if name != "auto":
        return name
    return "cuda" if torch.cuda.is_available() else "cpu"


if __name__ == "__main__":
    sys.exit(main())
