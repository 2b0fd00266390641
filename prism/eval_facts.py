"""``python -m prism.eval_facts``: recall and false injections of facts bound to SmolLM2.

Every tape is kept in ``--out`` as soon as it is measured; the same command continues after a stop.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
from rich.console import Console

from prism import whole_file
from prism.command import STOPPED, Parser, output
from prism.inject import AttachedLM, attach
from prism.inject.addresses import AnswerAccumulator
from prism.inject.probes import calibration_text
from prism.inject.wordings import SecondOpinion
from prism.pretrained.smollm2 import load_smollm2
from prism.record import ResultsFile, describe, weights_hash
from prism.studies.facts.measures import FactsRow
from prism.studies.facts.protocol import FULL, QUICK, eval_set, measured_tape, settings_of
from prism.studies.facts.replay import ActivationCache
from prism.studies.facts.report import plot, table
from prism.studies.facts.tables import real_facts
from prism.studies.facts.unseen_set import load_set, measured_set

ROWS = 40_000  # facts that the tables hold at least
EXAMPLES = """\
examples:
  python -m prism.eval_facts --quick                      20 and 100 facts, a few minutes
  python -m prism.eval_facts                              the whole protocol, an hour of one core
  python -m prism.eval_facts --facts 1000 --seeds 1
  python -m prism.eval_facts --unseen one,two --encoder   texts that no rule was made for
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = Parser(
        prog="python -m prism.eval_facts",
        description=__doc__,
        epilog=EXAMPLES,
    )
    p.add_argument("--facts", metavar="N,N", help="numbers of facts; default 20,100,1000,10000")
    p.add_argument("--seeds", type=int, metavar="N", help="seeds 0..N-1; default 3")
    p.add_argument("--quick", action="store_true", help="20,100 facts, 1 seed, fewer questions")
    p.add_argument(
        "--unseen",
        metavar="SET,SET",
        help="measure sets of unseen texts instead: one to four, or paths to .json files",
    )
    p.add_argument(
        "--encoder", action="store_true", help="with --unseen: a sentence encoder has a say too"
    )
    p.add_argument("--out", type=Path, default=Path("runs/facts"), metavar="DIR")
    return p


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser()
    args = p.parse_args(argv)
    console = output()
    sizes = QUICK if args.quick else FULL

    def say(row: FactsRow) -> None:
        text = f"  {row.control}: {row.metric} {row.value:.4g} of {row.count}"
        console.print(text, markup=False)

    if args.unseen:
        return _unseen(p, args, console)
    if args.encoder:
        p.error("--encoder: is used with --unseen alone")
    try:
        cases = _plan(args)
        facts = real_facts()
        lm = _open(args.out, console)
        settings = settings_of(lm, sizes)
        flags = [f"--facts {args.facts}"] * bool(args.facts)  # --out changes no figure
        flags += [f"--seeds {args.seeds}"] * bool(args.seeds) + ["--quick"] * args.quick
        command = " ".join(["python -m prism.eval_facts", *flags])
        meta = describe(command, "quick" if args.quick else "full")
        meta |= {"threads": torch.get_num_threads(), "code": settings["code"]}
        fields = ("facts", "seed", "rows")
        file = ResultsFile(args.out / "facts.json", meta, settings, fields=fields)
    except (ValueError, ImportError, OSError) as error:
        p.error(str(error))
    try:
        readings = ActivationCache(lm)
        for i, (number, seed) in enumerate(cases, start=1):
            key = {"facts": number, "seed": seed}
            kept = ", kept" if file.find(key) else ""
            console.print(f"{number} facts, seed {seed} ({i} of {len(cases)}){kept}")
            if not kept:
                exam = eval_set(facts, number, seed, sizes.asked)
                file.add(key | measured_tape(lm, readings, exam, sizes, say))
    except KeyboardInterrupt:
        console.print(
            f"stopped; {len(file.runs)} tapes are in {file.path}, the same command continues"
        )
        return STOPPED
    plot(file.runs, args.out / "facts.png")
    console.print(table(file.runs))
    before = file.meta["settings"]["parameters"]
    same = all(run["parameters after"] == before for run in file.runs)
    console.print(f"parameters {'unchanged' if same else 'CHANGED'}; results: {file.path}")
    return 0 if same else 1


def _unseen(p: Parser, args: argparse.Namespace, console: Console) -> int:
    """Measure sets of unseen texts; they are written to ``unseen.json`` one by one."""
    try:
        sets = [load_set(where) for where in args.unseen.split(",")]
        opinion = SecondOpinion(folder=args.out) if args.encoder else None
        lm = _open(args.out, console)
    except (ValueError, ImportError, OSError) as error:
        p.error(str(error))
    before = weights_hash(lm.model.state_dict())
    command = f"python -m prism.eval_facts --unseen {args.unseen}" + " --encoder" * args.encoder
    meta = describe(command, "full") | {"threads": torch.get_num_threads(), "parameters": before}
    readings, runs = ActivationCache(lm), []
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / ("unseen-encoder.json" if args.encoder else "unseen.json")
    for chosen in sets:
        console.print(f"set {chosen.name}: {len(chosen.facts)} facts, {len(chosen.cases)} cases")
        runs.append(
            measured_set(
                lm, readings, chosen, opinion, lambda text: console.print(text, markup=False)
            )
        )
        text = json.dumps({"meta": meta, "runs": runs}, indent=1, ensure_ascii=False) + "\n"
        whole_file.write(path, text.encode())
    same = weights_hash(lm.model.state_dict()) == before
    console.print(f"parameters {'unchanged' if same else 'CHANGED'}; results: {path}")
    return 0 if same else 1


def _open(out: Path, console: Console) -> AttachedLM:
    """SmolLM2, calibrated; the calibration is kept in ``out``."""
    model, tokenizer = load_smollm2()
    lm = attach(model, tokenizer, AnswerAccumulator(vocab_size=model.config.vocab_size))
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


if __name__ == "__main__":
    sys.exit(main())
