"""``python -m prism.ingest``: bind the facts of a table to a tape."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from prism.command import STOPPED, Parser, output, reason
from prism.holo import HoloTape
from prism.holo.ingestion import gather, ingest, plan_tape, read_rows
from prism.holo.reports import ingested_line, overload_line
from prism.holo.tape import ON_CONFLICT

SHOWN = 20  # bad rows that are printed one by one
PLANNED = ("facts", "values", "accuracy", "alpha", "decoder", "no_resolver")
EXAMPLES = """\
examples:
  python -m prism.ingest facts.csv --tape facts.safetensors
  python -m prism.ingest cities.jsonl --tape t.safetensors --key name --value country --bad skip
  python -m prism.ingest new.csv --tape t.safetensors --on-conflict replace --source march
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = Parser(
        prog="python -m prism.ingest",
        description=__doc__,
        epilog=EXAMPLES,
    )
    p.add_argument("file", type=Path, metavar="FILE", help="a .csv with a header, or a .jsonl")
    p.add_argument("--tape", type=Path, required=True, help="made, or added to if it is there")
    how = p.add_argument_group("what is read")
    how.add_argument("--key", default="key", metavar="COL", help="column of the keys; default key")
    how.add_argument("--value", default="value", metavar="COL", help="default value")
    how.add_argument("--source", metavar="NAME", help="where they come from; default FILE's name")
    how.add_argument(
        "--bad", choices=("skip", "stop"), default="stop", help="rows that are no fact"
    )
    how.add_argument(
        "--on-conflict", choices=ON_CONFLICT, default="error", help="a key with another value"
    )
    new = p.add_argument_group("a new tape")
    new.add_argument("--facts", type=int, metavar="N", help="room for N; default twice FILE's")
    new.add_argument("--values", type=int, metavar="M", help="candidates; default twice FILE's")
    new.add_argument("--accuracy", type=float, metavar="P", help="answered right; default 0.99")
    new.add_argument("--alpha", type=float, metavar="P", help="false accepts; default 0.01")
    new.add_argument("--decoder", choices=("filter", "amp"), help="amp: several times as dense")
    new.add_argument(
        "--no-resolver",
        action="store_true",
        default=None,
        help="keep no key texts: smaller, but misspellings are unknown and --list shows hashes",
    )
    return p


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser()
    args = p.parse_args(argv)
    errors = output("stderr")
    warn = partial(errors.print, markup=False, soft_wrap=True)
    try:
        _check(args)
        tape = HoloTape.load(args.tape) if args.tape.exists() else None
        with _named(args.file):
            rows = read_rows(args.file, args.key, args.value)
            table = gather(rows, args.on_conflict, args.bad)
        for row in table.bad[:SHOWN]:
            warn(f"{args.file}: line {row.line}: {row.why}; skipped")
        if len(table.bad) > SHOWN:
            warn(f"{args.file}: {len(table.bad) - SHOWN:,} more bad rows skipped")
        if tape is None:
            if not table.facts:
                raise ValueError(f"{args.file}: holds no fact, so there is no tape to plan")
            given = {name: getattr(args, name) for name in ("accuracy", "alpha", "decoder")}
            config = {name: value for name, value in given.items() if value is not None}
            tape = plan_tape(
                table, args.facts, args.values, resolver=not args.no_resolver, **config
            )
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        bar = Progress(
            *columns, TimeRemainingColumn(), console=errors, disable=not errors.is_terminal
        )
        with _named(args.file), bar:
            task = bar.add_task("binding", total=len(table.facts))
            source = args.source or args.file.name
            done = ingest(tape, table, source, args.on_conflict, lambda n: bar.advance(task, n))
        tape.save(args.tape)
    except KeyboardInterrupt:
        print(f"stopped; {args.tape} is as it was", file=sys.stderr)
        return STOPPED
    except (ValueError, OverflowError, OSError) as error:
        p.error(reason(error))
    print(f"{args.file}: {ingested_line(table, done)}\n{args.tape}: {tape}")
    overload = overload_line(tape.capacity())
    if overload is not None:
        warn(f"{args.tape}: {overload}")
    return 0


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Put the file's name before what is wrong with it."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _check(args: argparse.Namespace) -> None:
    """Refuse, before any work is done, what cannot end well.

    Raises:
        ValueError: nothing can be written at ``--tape``, or a flag that plans a tape where there
            is one already.
    """
    path = args.tape
    if path.exists() and not path.is_file():
        raise ValueError(f"--tape {path}: is not a file")
    if not path.parent.is_dir():
        raise ValueError(f"--tape {path}: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"--tape {path}: folder {path.parent} cannot be written")
    for name in PLANNED:
        if path.exists() and getattr(args, name) is not None:
            flag = f"--{name.replace('_', '-')}"
            raise ValueError(f"{flag}: {path} is there already, and its shape is fixed")


if __name__ == "__main__":
    sys.exit(main())
