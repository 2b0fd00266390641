"""``python -m prism.eval_facts``: how well facts bound to SmolLM2 come out of it.

Every tape is kept in ``--out`` as soon as it is measured; the same command goes on where it was
stopped.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from prism.command import STOPPED, Parser, output
from prism.inject import AttachedLM, attach
from prism.inject.addresses import AddressRegister
from prism.pretrained.smollm2 import load_smollm2
from prism.record import ResultsFile, code_fingerprint, describe, weights_hash
from prism.studies.facts.controls import controls
from prism.studies.facts.measures import FactsEvalSet
from prism.studies.facts.protocol import (
    FULL,
    QUICK,
    FactsSizes,
    bound_lm,
    cost,
    eval_set,
    measure,
)
from prism.studies.facts.replay import Readings
from prism.studies.facts.report import plot, table
from prism.studies.facts.tables import real_facts
from prism.studies.facts.texts import calibration_text

CODE = (
    "prism/eval_facts.py",
    "prism/studies/facts",
    "prism/inject",
    "prism/holo",
    "prism/pretrained",
)
ROWS = 40_000  # facts that the tables hold at least
EXAMPLES = """\
examples:
  python -m prism.eval_facts --quick                      20 and 100 facts, a few minutes
  python -m prism.eval_facts                              the whole protocol, an hour of one core
  python -m prism.eval_facts --facts 1000 --seeds 1
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = Parser(
        prog="python -m prism.eval_facts",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("--facts", metavar="N,N", help="numbers of facts; default 20,100,1000,10000")
    p.add_argument("--seeds", type=int, metavar="N", help="seeds 0..N-1; default 3")
    p.add_argument("--quick", action="store_true", help="20,100 facts, 1 seed, fewer questions")
    p.add_argument("--out", type=Path, default=Path("runs/facts"), metavar="DIR")
    return p


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser()
    args = p.parse_args(argv)
    console = output()
    sizes = QUICK if args.quick else FULL
    try:
        cases = _plan(args)
        facts = real_facts()
        lm = _open(args.out, console)
        file = ResultsFile(
            args.out / "facts.json", *_meta(args, sizes, lm), fields=("facts", "seed", "rows")
        )
    except (ValueError, ImportError, OSError) as error:
        p.error(str(error))
    try:
        _measure(lm, facts, cases, sizes, file, console)
    except KeyboardInterrupt:
        console.print(
            f"stopped; {len(file.runs)} tapes are in {file.path}, the same command goes on"
        )
        return STOPPED
    plot(file.runs, args.out / "facts.png")
    console.print(table(file.runs))
    before = file.meta["settings"]["parameters"]
    same = all(run["parameters after"] == before for run in file.runs)
    console.print(f"parameters {'unchanged' if same else 'CHANGED'}; results: {file.path}")
    return 0 if same else 1


def _measure(
    lm: AttachedLM,
    facts: dict[str, list[Any]],
    cases: list[tuple[int, int]],
    sizes: FactsSizes,
    file: ResultsFile,
    console: Console,
) -> None:
    """Every tape that the file does not hold yet."""
    readings = Readings(lm)
    for i, (number, seed) in enumerate(cases, start=1):
        kept = ", kept" if file.find({"facts": number, "seed": seed}) else ""
        console.print(f"{number} facts, seed {seed} ({i} of {len(cases)}){kept}")
        if kept:
            continue
        start = time.perf_counter()
        run = _run(lm, readings, eval_set(facts, number, seed, sizes.asked), sizes, console)
        run["seconds"] = round(time.perf_counter() - start, 1)
        file.add(run | {"parameters after": weights_hash(lm.model.state_dict())})


def _run(
    bare: AttachedLM, readings: Readings, exam: FactsEvalSet, sizes: FactsSizes, console: Console
) -> dict[str, Any]:
    """All rows of one tape, said as they come."""
    lm, seconds = bound_lm(bare, exam.bound)
    lm.knowledge.prepare(lm.model)
    rows = []
    parts = (
        cost(lm, seconds, len(exam.bound)),
        measure(lm, readings, exam, sizes),
        controls(lm, readings, exam, sizes.asked // 2),
    )
    for row in itertools.chain(*parts):
        if not row.count:
            continue
        rows.append(row.to_dict())
        said = f"  {row.control}: {row.metric} {row.value:.4g} of {row.count}"
        console.print(said, markup=False)
    return {"facts": len(exam.bound), "seed": exam.seed, "rows": rows}


def _open(out: Path, console: Console) -> AttachedLM:
    """SmolLM2, calibrated; the calibration is kept in ``out``."""
    model, tokenizer = load_smollm2()
    lm = attach(model, tokenizer, AddressRegister(vocab_size=model.config.vocab_size))
    console.print("calibrating (a minute or two, once per folder)")
    lm.calibrate(calibration_text(), cache=out)
    return lm


def _plan(args: argparse.Namespace) -> list[tuple[int, int]]:
    """Numbers of facts with seeds, all seeds of a number together.

    Raises:
        ValueError: a bad value, in one line.
    """
    text = args.facts or ("20,100" if args.quick else "20,100,1000,10000")
    try:
        numbers = [int(x) for x in text.split(",")]
    except ValueError:
        raise ValueError(f"--facts {text}: must be whole numbers, as 20,100") from None
    for number in numbers:
        if not 2 <= number <= ROWS:
            raise ValueError(f"--facts {number}: must be in 2..{ROWS}")
    seeds = args.seeds if args.seeds is not None else (1 if args.quick else 3)
    if seeds < 1:
        raise ValueError(f"--seeds {seeds}: must be >= 1")
    return [(number, seed) for number in dict.fromkeys(numbers) for seed in range(seeds)]


def _meta(args: argparse.Namespace, sizes: FactsSizes, lm: AttachedLM) -> tuple[dict, dict]:
    """What was run, and the settings that every figure depends on; without ``--out``."""
    flags = [f"--facts {args.facts}"] * bool(args.facts)
    flags += [f"--seeds {args.seeds}"] * bool(args.seeds) + ["--quick"] * args.quick
    command = " ".join(["python -m prism.eval_facts", *flags])
    meta = describe(command, "quick" if args.quick else "full")
    found = lm.knowledge.calibration
    settings = {
        "model": "SmolLM2-135M-Instruct, Q4_1 as fp32",
        "parameters": weights_hash(lm.model.state_dict()),
        "code": code_fingerprint(CODE),
        "torch": torch.__version__,
        "asked": sizes.asked,
        "text tokens": sizes.text,
        "generated": sizes.generated,
        "layers": found.layers,
        "heads": [list(h) for h in found.heads],
    }
    threads = {"threads": torch.get_num_threads()}
    return meta | threads | {"code": settings["code"]}, settings


if __name__ == "__main__":
    sys.exit(main())
