"""``python -m prism.eval_holo``: capacity and cosines of a register against theory, and the answers
that a trained model reads from one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.table import Table

from prism.command import Parser, check_seed, output
from prism.record import write_json
from prism.studies.retrieval.probes import PROBES, ProbeResult, trained
from prism.whole_file import reason

LETTERS = "abcdefgh"
EXAMPLES = """\
examples:
  python -m prism.eval_holo --probe all
  python -m prism.eval_holo --probe specificity --checkpoint runs/holo
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = Parser(
        prog="python -m prism.eval_holo",
        description=__doc__,
        epilog=EXAMPLES,
    )
    p.add_argument("--probe", choices=(*PROBES, "all"), default="all")
    p.add_argument("--checkpoint", type=Path, metavar="DIR", help="of prism.run_holo_train")
    p.add_argument("--dim", type=int, default=8192, help="numbers of the register without a model")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", type=Path, default=Path("runs/eval_holo.json"), metavar="FILE")
    return p


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser()
    args = p.parse_args(argv)
    console = output()
    try:
        if not 64 <= args.dim < 2**24:
            raise ValueError(f"--dim {args.dim}: must be in 64..{2**24 - 1}")
        check_seed(args.seed)
        model = None if args.checkpoint is None else trained(args.checkpoint)
        chosen = tuple(PROBES) if args.probe == "all" else (args.probe,)
        results: list[ProbeResult] = []
        for name in chosen:
            of_vectors, of_model = PROBES[name]
            results += of_vectors(args.dim, args.seed)
            if model is not None and of_model is not None:
                results += of_model(model, args.seed)
        console.print(table(results))
        for quantity, letter in letters(results).items():
            console.print(f"{letter}  {quantity}", markup=False)
        if model is None and args.probe != "vsa":
            console.print("no model took part; --checkpoint DIR asks a trained one as well")
        settings = {"probe": args.probe, "dim": args.dim, "seed": args.seed}
        settings["checkpoint"] = None if args.checkpoint is None else str(args.checkpoint)
        write_json(args.out, settings | {"rows": [row.to_dict() for row in results]})
    except (ValueError, OSError) as error:
        p.error(reason(error))
    console.print(f"results: {args.out}")
    return 0


def table(rows: list[ProbeResult]) -> Table:
    """One line per figure, with its theory and its control; the letters are those of
    :func:`letters`."""
    shown = Table(title="probes")
    for name in ("", "probe", "setting"):
        shown.add_column(name)
    for name in ("measured", "theory", "control", "expected"):
        shown.add_column(name, justify="right")
    for row in rows:
        figures = (f"{x:.4f}" for x in (row.measured, row.theory, row.control))
        shown.add_row(
            letters(rows)[row.measures], row.probe, row.setting, *figures, f"{row.expected:g}"
        )
    return shown


def letters(rows: list[ProbeResult]) -> dict[str, str]:
    """The letter of each quantity with its control, in the order of ``rows``."""
    quantities = dict.fromkeys(row.measures for row in rows)
    return dict(zip(quantities, LETTERS, strict=False))


if __name__ == "__main__":
    sys.exit(main())
