"""``python -m prism.run_holo_train``: teach a small PRISM to ask a tape, then ask it about facts
that it never saw."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from prism.command import STOPPED, Parser, check_seed, output
from prism.model.prism import Prism
from prism.record import write_json
from prism.studies.retrieval.measures import RetrievalEvalSet, measure
from prism.studies.retrieval.report import answers_table, cost, cost_lines
from prism.studies.retrieval.training import (
    ProgressReporter,
    RetrievalPlan,
    default_config,
    train,
)
from prism.whole_file import reason
from tasks.retrieval import Retrieval

STEPS, SMOKE_STEPS = 600, 200
EXAMPLES = """\
examples:
  python -m prism.run_holo_train --smoke             under a minute on one core
  python -m prism.run_holo_train --out runs/holo     a few minutes; the same command goes on
  python -m prism.eval_holo --probe all --checkpoint runs/holo
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = Parser(
        prog="python -m prism.run_holo_train",
        description=__doc__,
        epilog=EXAMPLES,
    )
    plan = RetrievalPlan()
    p.add_argument("--out", type=Path, metavar="DIR", help="checkpoint and results; resumes")
    p.add_argument("--steps", type=int, help=f"default {STEPS}")
    p.add_argument("--smoke", action="store_true", help=f"{SMOKE_STEPS} steps")
    p.add_argument("--batch-size", type=int, default=plan.batch_size, help="rows per step")
    p.add_argument("--length", type=int, default=plan.length, help="tokens per row")
    p.add_argument("--lr", type=float, default=plan.lr, help="peak learning rate")
    p.add_argument("--facts", type=int, default=plan.facts, help="facts on the tape of a step")
    p.add_argument("--seed", type=int, default=plan.seed, help="of weights and facts")
    p.add_argument("--save-every", type=int, default=100, metavar="STEPS")
    p.add_argument("--asked", type=int, default=100, metavar="N", help="facts bound at the end")
    p.add_argument("--dim", type=int, default=32_768, help="numbers of the tape at the end")
    return p


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser()
    args = p.parse_args(argv)
    try:
        plan = _plan(args)
        return _run(plan, args)
    except (ValueError, OSError, FloatingPointError) as error:
        p.error(reason(error))


def _run(plan: RetrievalPlan, args: argparse.Namespace) -> int:
    out = args.out or Path("runs") / ("holo-smoke" if args.smoke else "holo")
    console, model = output(), Prism(default_config(plan.seed))
    console.print(f"{model.num_parameters():,} parameters, {plan.steps} steps, into {out}")
    try:
        with ProgressReporter(plan.steps, console) as on_progress:
            losses = train(model, plan, out, args.save_every, on_progress)
    except KeyboardInterrupt:
        print(f"stopped; the same command goes on from the last save in {out}", file=sys.stderr)
        return STOPPED
    exam = RetrievalEvalSet(model, args.asked, args.dim, plan.seed)
    rows, added = list(measure(exam)), cost(model, exam.tape)
    console.print(answers_table(rows))
    for line in cost_lines(added):
        console.print(line)
    results = {
        "plan": asdict(plan),
        "config": model.config.to_dict(),
        "facts": args.asked,
        "dim": args.dim,
        "loss": losses[-1] if losses else None,
        "rows": [row.to_dict() for row in rows],
        "cost": added,
    }
    write_json(out / "results.json", results)
    console.print(f"model and results: {out}")
    return 0


def _plan(args: argparse.Namespace) -> RetrievalPlan:
    """The plan that the flags ask for.

    Raises:
        ValueError: a bad value, in one line.
    """
    if args.smoke and args.steps is not None:
        raise ValueError(f"--steps {args.steps}: --smoke always takes {SMOKE_STEPS}")
    steps = SMOKE_STEPS if args.smoke else STEPS if args.steps is None else args.steps
    least = {"steps": 1, "batch_size": 1, "facts": 1, "save_every": 1, "asked": 1, "dim": 256}
    for name, low in (least | {"length": Retrieval.lengths[0]}).items():
        value = steps if name == "steps" else getattr(args, name)
        if value < low:
            raise ValueError(f"--{name.replace('_', '-')} {value}: must be >= {low}")
    if not 0 < args.lr < float("inf"):
        raise ValueError(f"--lr {args.lr:g}: must be > 0")
    check_seed(args.seed)
    names = ("batch_size", "length", "lr", "facts", "seed")
    return RetrievalPlan(steps=steps, **{name: getattr(args, name) for name in names})


if __name__ == "__main__":
    sys.exit(main())
