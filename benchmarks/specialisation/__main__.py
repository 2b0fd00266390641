"""``python -m benchmarks.specialisation``: PRISM trained on each task, then without one kind.

PRISM is trained as in ``prism.train --full``: same size, steps and learning rate. The measure on
test data and its reasons are in :mod:`benchmarks.specialisation.ablation`.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import torch
from rich.console import Console

from benchmarks.page.command import parse, parser, provenance, write_json
from benchmarks.specialisation.ablation import routed, specialisation
from prism.baselines import build
from prism.compare.protocol import ComparisonPlan, Job, toy_config
from prism.compare.training import EVALUATION_SEED, TrainingPlan, train
from tasks import SUITES, TASKS

PROGRAM = "benchmarks.specialisation"
SEEDS = 3
SEQUENCES = 256
DRAWS = 4


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser(PROGRAM, __doc__, quick=False)
    p.add_argument(
        "--tasks",
        nargs="+",
        default=list(SUITES["core"]),
        metavar="NAME",
        help="default: the suite core",
    )
    p.add_argument("--steps", type=int, help="of training; default as in the full protocol")
    p.add_argument("--seeds", type=int, default=SEEDS, metavar="N", help=f"default {SEEDS}")
    p.add_argument("--threads", type=int, help="of torch; default all cores")
    args, given = parse(p, argv, counts=("steps", "seeds", "threads"), check=_check)
    plan = ComparisonPlan(
        tasks=tuple(args.tasks), models=("prism",), seeds=args.seeds, steps=args.steps
    )
    content = {"meta": provenance(PROGRAM, given, args.steps is not None), "runs": []}
    console = Console(soft_wrap=True, highlight=False)
    for job in plan.jobs(phase="final"):
        content["runs"].append(run(job))
        console.print(_line(content["runs"][-1]))
        write_json(args.out, content)
    console.print(str(args.out))
    return 0


def _check(args: argparse.Namespace) -> None:
    for name in args.tasks:
        if name not in TASKS:
            raise ValueError(f"--tasks {name!r}: must be of {', '.join(TASKS)}")


def run(job: Job) -> dict[str, Any]:
    """Train one PRISM and take it apart.

    Returns:
        ``task, seed, steps, lr, metric, test`` (score, None if training failed), ``error`` and
        ``kinds``, the rows of :func:`benchmarks.specialisation.ablation.specialisation`.
    """
    task = TASKS[job.task]
    torch.manual_seed(job.seed)
    model = build(job.model, toy_config(task, job.seed))
    plan = TrainingPlan(
        steps=job.steps, batch_size=job.batch_size, lr=job.lr, seed=job.seed, evaluation=SEQUENCES
    )
    result = train(model, task, plan)
    row: dict[str, Any] = {"task": job.task, "seed": job.seed, "steps": job.steps, "lr": job.lr}
    row |= {"metric": task.metric, "error": result.error}
    if result.error is not None:
        return row | {"test": None, "kinds": []}
    batch = task.batch("test", EVALUATION_SEED, 0, SEQUENCES)
    batch = routed(model, batch.tokens, batch.targets)
    kinds = [
        specialisation(model, batch, kind, scored_only, DRAWS, job.seed)
        for scored_only in (False, True)
        for kind in model.config.expert_kinds
    ]
    return row | {"test": result.test[task.metric], "kinds": kinds}


def _line(run: dict[str, Any]) -> str:
    if run["error"] is not None:
        return f"{run['task']}, seed {run['seed']}: {run['error']}"
    kinds = (
        f"{row['kind']} wins {row['wins']:.0%}"
        + ("" if row["ratio"] is None else f", ratio {row['ratio']:.1f}")
        for row in run["kinds"]
        if row["where"] == "all"
    )
    return f"{run['task']}, seed {run['seed']}, {run['test']:.3f}: {'; '.join(kinds)}"


if __name__ == "__main__":
    sys.exit(main())
