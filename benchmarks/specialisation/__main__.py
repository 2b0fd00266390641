"""``python -m benchmarks.specialisation``: train PRISM on each task, then switch kinds off.

PRISM is trained as in ``prism.train --full``: same size, steps and learning rate. What is measured
on test data, and why so, is in :mod:`benchmarks.specialisation.ablation`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from benchmarks.page.command import RESULTS, at_least, provenance, write_json
from benchmarks.specialisation.ablation import read, specialisation
from prism.baselines import build
from prism.command import Parser
from prism.compare.evaluation import EVALUATION_SEED
from prism.compare.protocol import ComparisonPlan, Job, toy_config
from prism.compare.training import TrainingPlan, train
from prism.record import cpu_count
from tasks import TASKS

PROGRAM = "benchmarks.specialisation"
SEEDS = 3
SEQUENCES = 256
DRAWS = 4


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    p = Parser(prog=f"python -m {PROGRAM}", description=__doc__)
    p.add_argument("--out", type=Path, default=RESULTS / "specialisation.json")
    p.add_argument("--tasks", nargs="+", default=list(TASKS), metavar="NAME", help="default all")
    p.add_argument("--steps", type=int, help="of training; default as in the full protocol")
    p.add_argument("--seeds", type=int, default=SEEDS, metavar="N", help=f"default {SEEDS}")
    p.add_argument("--threads", type=int, help="of torch; default all cores")
    args = p.parse_args(argv)
    try:
        for flag in ("steps", "seeds", "threads"):
            at_least(1, f"--{flag}", getattr(args, flag))
        for name in args.tasks:
            if name not in TASKS:
                raise ValueError(f"--tasks {name!r}: must be of {', '.join(TASKS)}")
    except ValueError as error:
        p.error(str(error))
    torch.set_num_threads(args.threads or cpu_count())
    plan = ComparisonPlan(
        tasks=tuple(args.tasks), models=("prism",), seeds=args.seeds, steps=args.steps
    )
    profile = "full" if args.steps is None else "quick"
    content = {"meta": provenance(PROGRAM, argv, profile), "runs": []}
    console = Console(soft_wrap=True)
    for job in plan.jobs(phase="final"):
        content["runs"].append(run(job))
        console.print(_line(content["runs"][-1]), highlight=False)
        write_json(args.out, content)
    console.print(str(args.out), highlight=False)
    return 0


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
        steps=job.steps,
        batch_size=job.batch_size,
        lr=job.lr,
        seed=job.seed,
        evaluation=SEQUENCES,
    )
    result = train(model, task, plan)
    row: dict[str, Any] = {"task": job.task, "seed": job.seed, "steps": job.steps, "lr": job.lr}
    row |= {"metric": task.metric, "error": result.error}
    if result.error is not None:
        return row | {"test": None, "kinds": []}
    batch = task.batch("test", EVALUATION_SEED, 0, SEQUENCES)
    reading = read(model, batch.tokens, batch.targets)
    kinds = [
        specialisation(model, reading, kind, scored_only, DRAWS, job.seed)
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
