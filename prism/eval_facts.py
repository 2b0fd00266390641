"""``python -m prism.eval_facts``: how well facts bound to SmolLM2 come out of it."""

from __future__ import annotations

import argparse
import itertools
import platform
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from prism.command import Parser
from prism.facts.controls import controls
from prism.facts.protocol import (
    FULL,
    QUICK,
    Setting,
    Sizes,
    bound_lm,
    cost,
    measure,
    setting,
)
from prism.facts.replay import Readings
from prism.facts.report import plot, table, write_json
from prism.facts.tables import real_facts
from prism.facts.texts import calibration_text
from prism.holo.addresses import AddressRegister
from prism.holo.lm import AttachedLM, attach
from prism.model.fingerprint import parameter_hash
from prism.pretrained.smollm2 import load_smollm2

PIPE_WIDTH = 120  # of the table, where there is no terminal to ask
ROWS = 40_000  # facts that the tables hold at least
EXAMPLES = """\
examples:
  python -m prism.eval_facts --quick                      20 and 100 facts, a few minutes
  python -m prism.eval_facts                              the whole protocol, hours
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
    argv = sys.argv[1:] if argv is None else argv
    p = parser()
    args = p.parse_args(argv)
    console = Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH)
    try:
        numbers, seeds = _plan(args)
        facts = real_facts()
        lm = _open(args.out, console)
    except (ValueError, ImportError) as error:
        p.error(str(error))
    sizes = QUICK if args.quick else FULL
    meta = _meta(argv, sizes, lm)
    before, runs, readings = parameter_hash(lm.model), [], Readings(lm)
    path = args.out / "facts.json"
    for seed in range(seeds):
        for number in numbers:
            case = setting(facts, number, seed, sizes.asked)
            console.print(f"{number} facts, seed {seed}")
            start = time.perf_counter()
            run = _run(lm, readings, case, sizes, console)
            runs.append(run | {"seconds": time.perf_counter() - start})
            write_json(path, meta, runs)
    meta["parameters"] = {"sha256 before": before, "sha256 after": parameter_hash(lm.model)}
    write_json(path, meta, runs)
    plot(runs, args.out / "facts.png")
    console.print(table(runs))
    same = meta["parameters"]["sha256 after"] == before
    console.print(f"parameters {'unchanged' if same else 'CHANGED'}; results: {path}")
    return 0 if same else 1


def _run(
    lm: AttachedLM, readings: Readings, case: Setting, sizes: Sizes, console: Console
) -> dict[str, Any]:
    """All rows of one tape, said as they come."""
    taught, seconds = bound_lm(lm, case.bound)
    taught.knowledge.prepare(taught.model)
    rows = []
    parts = (
        cost(taught, seconds, case.number),
        measure(taught, readings, case, sizes),
        controls(lm, readings, case, sizes.asked // 2),
    )
    for row in itertools.chain(*parts):
        rows.append(row.to_dict())
        said = f"  {row.control}: {row.metric} {row.value:.4g} of {row.count}"
        console.print(said, markup=False, highlight=False)
    return {"facts": case.number, "seed": case.seed, "rows": rows}


def _open(out: Path, console: Console) -> AttachedLM:
    """SmolLM2, calibrated; the calibration is kept in ``out``."""
    model, tokenizer = load_smollm2()
    lm = attach(model, tokenizer, AddressRegister(vocab_size=model.config.vocab_size))
    console.print("calibrating (a minute or two, once per folder)")
    lm.calibrate(calibration_text(), cache=out)
    return lm


def _plan(args: argparse.Namespace) -> tuple[list[int], int]:
    """Numbers of facts, and of seeds.

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
    return numbers, seeds


def _meta(argv: list[str], sizes: Sizes, lm: AttachedLM) -> dict[str, Any]:
    found = lm.knowledge.calibration
    return {
        "command": shlex.join(["python", "-m", "prism.eval_facts", *argv]),
        "model": "SmolLM2-135M-Instruct, Q4_1 as fp32",
        "asked": sizes.asked,
        "text tokens": sizes.text,
        "layer": found.layer,
        "heads": [list(h) for h in found.heads],
        "torch": torch.__version__,
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
    }


if __name__ == "__main__":
    sys.exit(main())
