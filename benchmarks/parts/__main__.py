"""``python -m benchmarks.parts``: PRISM without one part, or with one more, at equal size.

Every variant is trained on the same data in the same order, with the recipe of the whole model. The
file is written after each run, and the same command goes on where it stopped. ``docs/PARTS.md`` is
made of it (``python -m benchmarks.parts.page``).
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from typing import Any

import torch
from rich.console import Console

from benchmarks.page.command import parse, parser, provenance
from benchmarks.parts.variants import VARIANTS, of_equal_size
from prism.compare.protocol import BATCH_SIZE, FULL_STEPS, Recipe, open_task, toy_config
from prism.compare.training import TrainingPlan, train
from prism.model.prism import Prism
from prism.record import ResultsFile, code_fingerprint
from tasks import TASKS

PROGRAM = "benchmarks.parts"
EVALUATION = 1024
RECIPE = Recipe(lr=0.01, dropout=0.0)


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser(PROGRAM, __doc__, quick=False)
    names = ", ".join(VARIANTS)
    p.add_argument("--task", default="mini_lm", help="default mini_lm")
    p.add_argument("--corpus", metavar="FILE", help="text that mini_lm reads")
    p.add_argument("--parts", nargs="+", default=list(VARIANTS), metavar="NAME", help=names)
    p.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="N")
    p.add_argument("--steps", type=int, help="default as in the full comparison")
    p.add_argument("--evaluation", type=int, default=EVALUATION, help="sequences")
    p.add_argument("--lr", type=float, default=RECIPE.lr, help=f"default {RECIPE.lr}")
    p.add_argument("--dropout", type=float, default=RECIPE.dropout, help="default 0")
    p.add_argument("--threads", type=int, default=1, help="of torch; default 1")
    counts = ("steps", "evaluation", "threads")
    args, given = parse(p, argv, counts=counts, check=_check)
    file = ResultsFile(args.out, provenance(PROGRAM, given, quick=False))
    console = Console(soft_wrap=True, highlight=False)
    steps = args.steps or FULL_STEPS[args.task]
    for seed in args.seeds:
        for part in args.parts:
            key = {"task": args.task, "corpus": args.corpus, "part": part, "seed": seed}
            key |= {"steps": steps, "lr": args.lr, "dropout": args.dropout}
            key |= {"evaluation": args.evaluation, "code": code_fingerprint()}
            run = file.once(key, lambda key=key: measured(key))
            console.print(_line(run))
    console.print(str(args.out))
    return 0


def measured(key: dict[str, Any]) -> dict[str, Any]:
    """Train and measure the variant of ``key``."""
    task = open_task(key["task"], key["corpus"])
    whole = toy_config(task, key["seed"], key["dropout"])
    config = of_equal_size(whole, VARIANTS[key["part"]])
    torch.manual_seed(key["seed"])
    plan = TrainingPlan(
        steps=key["steps"],
        batch_size=BATCH_SIZE,
        lr=key["lr"],
        seed=key["seed"],
        evaluation=key["evaluation"],
    )
    begin = time.process_time()
    result = train(Prism(config), task, plan)
    run = dataclasses.asdict(result)
    run.pop("curve")
    more = {"metric": task.metric, "hidden": config.hidden}
    return run | more | {"cpu_seconds": time.process_time() - begin}


def _check(args: argparse.Namespace) -> None:
    if args.task not in TASKS:
        raise ValueError(f"--task {args.task!r}: must be one of {', '.join(TASKS)}")
    for name in args.parts:
        if name not in VARIANTS:
            raise ValueError(f"--parts {name!r}: must be of {', '.join(VARIANTS)}")
    if args.corpus is not None:
        open_task(args.task, args.corpus)


def _line(run: dict[str, Any]) -> str:
    name = f"{run['task']}, {run['part']}, seed {run['seed']}"
    if run["error"] is not None:
        return f"{name}: {run['error']}"
    lengths = ", ".join(f"{k}: {v:.4f}" for k, v in run["test"]["by_length"].items())
    return f"{name}: validation {run['val'][run['metric']]:.4f}, test {lengths}"


if __name__ == "__main__":
    sys.exit(main())
