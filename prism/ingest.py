"""``python -m prism.ingest``: bind the facts of a table to a tape."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from prism.command import STOPPED, Parser, output, reason
from prism.holo import HoloTape
from prism.holo.ingestion import Batch, Ingested, gather, ingest
from prism.holo.rows import read_rows
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
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
    try:
        _check_writable(args.tape)
        tape = _existing(args)
        with _about(args.file):
            rows = read_rows(args.file, args.key, args.value)
            batch = gather(rows, args.on_conflict, args.bad)
        _show_bad(args.file, batch, errors)
        tape = _planned(args, batch) if tape is None else tape
        with _about(args.file), _bar(errors) as bar:
            task = bar.add_task("binding", total=len(batch.facts))
            source = args.source or args.file.name
            done = ingest(tape, batch, source, args.on_conflict, lambda n: bar.advance(task, n))
        tape.save(args.tape)
    except KeyboardInterrupt:
        print(f"stopped; {args.tape} is as it was", file=sys.stderr)
        return STOPPED
    except (ValueError, OverflowError, OSError) as error:
        p.error(reason(error))
    _show(args, batch, done, tape, errors)
    return 0


@contextmanager
def _about(path: Path) -> Iterator[None]:
    """Put the file's name before what is wrong with it."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _check_writable(path: Path) -> None:
    """Raises:
    ValueError: nothing can be written there; said before any work is done."""
    if path.exists() and not path.is_file():
        raise ValueError(f"--tape {path}: is not a file")
    if not path.parent.is_dir():
        raise ValueError(f"--tape {path}: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"--tape {path}: folder {path.parent} cannot be written")


def _existing(args: argparse.Namespace) -> HoloTape | None:
    """The tape that is there already.

    Raises:
        ValueError: no HoloTape, or one that is there and yet planned by a flag.
    """
    if not args.tape.exists():
        return None
    for name in PLANNED:
        if getattr(args, name) is not None:
            flag = f"--{name.replace('_', '-')}"
            raise ValueError(f"{flag}: {args.tape} is there already, and its shape is fixed")
    return HoloTape.load(args.tape)


def _planned(args: argparse.Namespace, batch: Batch) -> HoloTape:
    """An empty tape with room for the file twice, unless flags say otherwise."""
    if not batch.facts:
        raise ValueError(f"{args.file}: holds no fact, so there is no tape to plan")
    different = len({value for _, value in batch.facts.values()})
    asked: dict[str, Any] = {"facts": 2 * len(batch.facts), "candidates": max(2, 2 * different)}
    given = {name: getattr(args, name) for name in ("facts", "accuracy", "alpha", "decoder")}
    given["candidates"] = args.values
    asked |= {name: value for name, value in given.items() if value is not None}
    try:
        return HoloTape.plan(**asked, resolver=not args.no_resolver)
    except (MemoryError, RuntimeError) as error:  # torch has no class of its own for this
        raise ValueError(f"a tape for {asked['facts']:,} facts: {reason(error)}") from error


def _bar(errors: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeRemainingColumn(), console=errors, disable=not errors.is_terminal)


def _show_bad(path: Path, batch: Batch, errors: Console) -> None:
    for row in batch.bad[:SHOWN]:
        errors.print(f"{path}: line {row.line}: {row.why}; skipped", markup=False, soft_wrap=True)
    if len(batch.bad) > SHOWN:
        errors.print(f"{path}: {len(batch.bad) - SHOWN:,} more bad rows skipped", markup=False)


def _show(
    args: argparse.Namespace, batch: Batch, done: Ingested, tape: HoloTape, errors: Console
) -> None:
    counts = {
        "added": done.added,
        "known already": done.known + batch.rows - len(batch.facts) - batch.kept - batch.replaced,
        "replaced": done.replaced + batch.replaced,
        "kept as they were": done.kept + batch.kept,
        "bad rows skipped": len(batch.bad),
    }
    said = ", ".join(f"{number:,} {what}" for what, number in counts.items() if number)
    print(f"{args.file}: {said or 'no rows'}\n{args.tape}: {tape}")
    full = tape.capacity()
    if full.predicted < full.level:
        errors.print(
            f"{args.tape}: over its capacity: {full.facts:,} items where {full.limit:,} are read "
            f"right at {full.level:.0%}; now {full.predicted:.1%} by theory",
            markup=False,
            soft_wrap=True,
        )


if __name__ == "__main__":
    sys.exit(main())
