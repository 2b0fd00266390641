"""``python -m benchmarks.distill.study``: does a teacher's distribution help, and who can tell.

Parts, each resumable run by run (a run that is in the file is not made again):

    students   a small student by arm of its loss, and fresh text at equal tokens and seconds
    replicate  students of two sizes by the number of a teacher's answers that they saw
    base       a public model as the base of teacher and students: all of its weights, or LoRA

The sizes are those of the flags and stand in the file; figures of a small run are of a small run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.distill.base import base
from benchmarks.distill.replication import replicate
from benchmarks.distill.students import ARMS, Row, Study, models_of, students
from benchmarks.page.command import RESULTS, parse, parser, provenance
from prism.command import say
from prism.record import ResultsFile

PROGRAM = "benchmarks.distill.study"
PARTS: dict[str, Callable[[Study], None]] = {
    "students": students,
    "replicate": replicate,
    "base": base,
}
SMALL = ["d_model=96", "num_layers=3"]
LARGE = ["d_model=128", "num_layers=4"]
QUICK = {
    "tokens": 400, "answers": [24, 48], "answer_tokens": 6, "prompts": 10, "lesson": 60,
    "epochs": 1, "rows": 4, "seq_len": 48, "unseen_bytes": 400, "seeds": 1,
    "smaller": ["d_model=16", "num_layers=1"], "model": ["d_model=24", "num_layers=1"],
}  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser(PROGRAM, __doc__)
    p.set_defaults(out=RESULTS / "students.json")
    p.add_argument("--part", choices=tuple(PARTS), action="append", help="default all")
    p.add_argument("--teacher", default="smollm2")
    p.add_argument("--data", required=True, metavar="MIX", help="text of teacher and students")
    p.add_argument("--work", type=Path, default=Path("runs/students"), help="folder of the runs")
    p.add_argument("--arms", nargs="+", choices=tuple(ARMS), default=list(ARMS))
    p.add_argument("--tokens", type=int, default=1_000_000, help="of the teacher, in the store")
    p.add_argument("--answers", type=int, nargs="+", default=[1000, 10_000, 100_000],
                   help="tokens of answers")  # fmt: skip
    p.add_argument("--answer-tokens", type=int, default=128, help="of one answer at most")
    p.add_argument("--prompts", type=int, default=400, help="unseen ones")
    p.add_argument("--lesson", type=int, default=20_000, metavar="N",
                   help="tokens that the teacher of part base was tuned on")  # fmt: skip
    p.add_argument("--vocab-size", type=int, default=2052, help="of the students")
    p.add_argument("--model", nargs="+", default=LARGE, metavar="FIELD=V", help="of the student")
    p.add_argument("--smaller", nargs="+", default=SMALL, metavar="FIELD=V", help="of the other")
    p.add_argument("--rate", type=float, default=0.01, help="where the climb begins")
    p.add_argument("--epochs", type=float, default=4, help="where the climb begins")
    p.add_argument("--rows", type=int, default=8, help="of a step")
    p.add_argument("--seq-len", type=int, default=256, help="of a row")
    p.add_argument("--unseen-bytes", type=int, default=200_000, help="of validation, of test")
    p.add_argument("--seeds", type=int, default=3)
    p.add_argument("--threads", type=int, default=1, help="of torch")
    args, given = parse(
        p,
        argv,
        counts=(
            "tokens",
            "answer_tokens",
            "prompts",
            "lesson",
            "vocab_size",
            "rows",
            "seq_len",
            "unseen_bytes",
            "seeds",
            "threads",
        ),
    )
    if args.quick:
        vars(args).update(QUICK)
    try:
        models_of([*args.model, *args.smaller])
        args.work.mkdir(parents=True, exist_ok=True)
        for part in args.part or PARTS:
            meta = provenance(PROGRAM, given, args.quick)
            sizes = sizes_of(args, part)
            results = ResultsFile(args.out, meta, sizes, part)
            PARTS[part](Study(args.teacher, args.work, sizes, results))
            say(f"{args.out}: {part}, {len(results.runs)} runs")
    except (ValueError, OSError, ImportError) as error:
        p.error(str(error))
    return 0


def sizes_of(args: Any, part: str) -> Row:
    """Whatever the runs of a part depend on."""
    common = {name: getattr(args, name) for name in
              ("teacher", "data", "vocab_size", "rate", "rows", "seq_len", "seeds")}  # fmt: skip
    if part == "students":
        return {**common, "tokens": args.tokens, "arms": args.arms, "epochs": args.epochs,
                "unseen_bytes": args.unseen_bytes, "model": args.model}  # fmt: skip
    asked = {name: getattr(args, name) for name in ("answers", "answer_tokens", "prompts")}
    if part == "base":
        return {**common, **asked, "lesson": args.lesson}
    return {**common, **asked, "answer_epochs": args.epochs,
            "models": [" ".join(args.smaller), " ".join(args.model)]}  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
