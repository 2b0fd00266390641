"""``python -m benchmarks.retrieval``: a small PRISM that learns to query a tape, on several seeds.

Per seed: train on facts that are thrown away at every step, freeze, bind 100 facts of the test
split and test; then the probes of ``prism.eval_holo`` on the register alone and end to end.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

from benchmarks.page.command import parse, parser, provenance, write_json
from prism.command import output
from prism.model.prism import Prism
from prism.studies.retrieval.measures import RetrievalEvalSet, measure
from prism.studies.retrieval.probes import model_capacity, model_specificity, vector_specificity
from prism.studies.retrieval.report import cost
from prism.studies.retrieval.training import RetrievalPlan, default_config, train

PROGRAM = "benchmarks.retrieval"
STEPS, QUICK_STEPS = 600, 3
SEEDS = 3
FACTS, QUICK_FACTS = 100, 4
DIM = 32_768  # of the tape that is asked
PROBE_DIM = 8192


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser(PROGRAM, __doc__)
    p.add_argument("--seeds", type=int, help=f"seeds 0..N-1; default {SEEDS}, quick 1")
    p.add_argument("--threads", type=int, default=1, help="of torch")
    args, given = parse(p, argv, counts=("seeds", "threads"))
    console = output()
    content = {"meta": provenance(PROGRAM, given, args.quick), "runs": []}
    for seed in range(args.seeds or (1 if args.quick else SEEDS)):
        content["runs"].append(one_seed(seed, args.quick))
        write_json(args.out, content)  # what is done is kept if the next seed is not
        for row in content["runs"][-1]["rows"]:
            console.print(f"seed {seed}: {row['metric']} {row['value']:.4g} of {row['count']}")
    console.print(f"results: {args.out}")
    return 0


def one_seed(seed: int, quick: bool) -> dict[str, Any]:
    """Training, the exam of the frozen model, the probes, and what the ability costs."""
    plan = RetrievalPlan(steps=QUICK_STEPS if quick else STEPS, seed=seed)
    model = Prism(default_config(seed))
    losses = train(model, plan)
    model.eval().requires_grad_(False)
    exam = RetrievalEvalSet(model, QUICK_FACTS if quick else FACTS, DIM, seed)
    probes = list(vector_specificity(PROBE_DIM, seed))
    if not quick:
        probes += [*model_specificity(model, seed), *model_capacity(model, seed)]
    return {
        "seed": seed,
        "plan": asdict(plan),
        "loss": losses[-1],
        "facts": len(exam.facts),
        "dim": DIM,
        "rows": [row.to_dict() for row in measure(exam)],
        "probes": [probe.to_dict() for probe in probes],
        "cost": cost(model, exam.tape),
    }


if __name__ == "__main__":
    sys.exit(main())
