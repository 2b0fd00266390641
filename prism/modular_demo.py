"""``python -m prism.modular_demo``: experts trained apart, assembled, beside a joint run.

A backbone is trained on three domains and frozen. Three expert branches, one per kind, are trained
on it apart, each mostly on its own domain. They are assembled by tensor name, then only their gates
are calibrated. A table, a picture and sentences compare that with training one model.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from prism.command import STOPPED, Parser, check_seed, output
from prism.record import write_json
from prism.studies.modular.experiment import QUICK, Say, StudySizes, experiment
from prism.studies.modular.report import draw, losses_table, sentences
from prism.whole_file import reason


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = Parser(prog="python -m prism.modular_demo", description=__doc__.split("\n")[0])
    p.add_argument("--seed", type=int, default=0, help="of weights and data (default 0)")
    p.add_argument("--quick", action="store_true", help="seconds instead of minutes; learns little")
    p.add_argument(
        "--out", type=Path, default=Path("renders"), metavar="DIR", help="of the JSON and picture"
    )
    return p


@contextmanager
def _progress() -> Iterator[Say]:
    """A bar for every phase, on the terminal's error stream."""
    columns = (TextColumn("{task.description:>10}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=output("stderr")) as bars:
        tasks = {}

        def say(phase: str, step: int, steps: int) -> None:
            if phase not in tasks:
                tasks[phase] = bars.add_task(phase, total=steps)
            bars.update(tasks[phase], completed=step)

        yield say


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser()
    args = p.parse_args(argv)
    console = output()
    try:
        check_seed(args.seed)
        args.out.mkdir(parents=True, exist_ok=True)
        with _progress() as say:
            result = experiment(args.seed, QUICK if args.quick else StudySizes(), say)
        write_json(args.out / "modular.json", result)
        draw(result, args.out / "modular.png")
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return STOPPED
    except (ValueError, OSError) as error:
        p.error(reason(error))
    console.print(losses_table(result))
    for line in sentences(result):
        console.print(line, markup=False)
    console.print(f"numbers: {args.out / 'modular.json'}, picture: {args.out / 'modular.png'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
