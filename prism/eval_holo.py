"""``python -m prism.eval_holo``: capacity and cosines of a register against theory, and the answers
that a trained model reads from one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from prism.command import Parser, output, reason
from prism.model.prism import Prism
from prism.record import write_json
from prism.studies.retrieval.probes import PROBES, ProbeResult, trained

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
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
        if not 0 <= args.seed < 2**32:
            raise ValueError(f"--seed {args.seed}: must be >= 0 and below 2**32")
        model = None if args.checkpoint is None else trained(args.checkpoint)
        chosen = tuple(PROBES) if args.probe == "all" else (args.probe,)
        results = [row for name in chosen for row in probe_rows(name, args.dim, args.seed, model)]
        console.print(table(results))
        for line in legend(results):
            console.print(line, markup=False)
        if model is None and args.probe != "vsa":
            console.print("no model took part; --checkpoint DIR asks a trained one as well")
        settings = {"probe": args.probe, "dim": args.dim, "seed": args.seed}
        settings["checkpoint"] = None if args.checkpoint is None else str(args.checkpoint)
        write_json(args.out, settings | {"rows": [row.to_dict() for row in results]})
    except (ValueError, OSError) as error:
        p.error(reason(error))
    console.print(f"results: {args.out}")
    return 0


def probe_rows(name: str, dim: int, seed: int, model: Prism | None) -> Iterator[ProbeResult]:
    """The figures of the probe ``name``; those of a model only where there is one."""
    of_vectors, of_model = PROBES[name]
    yield from of_vectors(dim, seed)
    if model is not None and of_model is not None:
        yield from of_model(model, seed)


def table(rows: list[ProbeResult]) -> Table:
    """One line per figure, with its theory and its control; the letters are those of
    :func:`legend`."""
    shown = Table(title="probes")
    for name in ("", "probe", "setting"):
        shown.add_column(name)
    for name in ("measured", "theory", "control", "expected"):
        shown.add_column(name, justify="right")
    for row in rows:
        figures = (f"{x:.4f}" for x in (row.measured, row.theory, row.control))
        letter = LETTERS[_kinds(rows).index(row.measures)]
        shown.add_row(letter, row.probe, row.setting, *figures, f"{row.expected:g}")
    return shown


def legend(rows: list[ProbeResult]) -> list[str]:
    """Quantity and control behind each letter."""
    return [f"{letter}  {words}" for letter, words in zip(LETTERS, _kinds(rows), strict=False)]


def _kinds(rows: list[ProbeResult]) -> list[str]:
    return list(dict.fromkeys(row.measures for row in rows))


if __name__ == "__main__":
    sys.exit(main())
