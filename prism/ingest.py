"""``python -m prism.ingest``: bind the facts of a table to a tape."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prism.command import STOPPED, Parser, Steps, command, output, quoted, say, say_json
from prism.holo import HoloTape, reports
from prism.holo.ingestion import FactTable, gather, ingest, plan_tape
from prism.holo.reading import Columns, read_rows
from prism.holo.reading.read import STDIN, check_name
from prism.holo.tape import ON_CONFLICT
from prism.holo.vocabulary import Vocabulary
from prism.whole_file import reason, resolved

SHOWN = 20  # bad rows that are printed one by one
READ = 10_000  # rows between two looks at the clock
PLANNED = ("facts", "values", "accuracy", "alpha", "decoder", "no_resolver")
EXAMPLES = """\
examples:
  python -m prism.ingest facts.csv --tape facts.safetensors
  python -m prism.ingest cities.csv --tape t.safetensors --key-template "{} of {name}" \\
      --value country --value currency
  python -m prism.ingest links.jsonl.gz --tape many.safetensors --key from --value to --many
  zcat new.tsv.gz | python -m prism.ingest - --tape t.safetensors --on-conflict replace --source x

A language model is told a key that names a relation and a subject: "capital of Freedonia". A bare
name is found by prism.ask only; --key-template makes such keys of it.
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = Parser(
        prog="python -m prism.ingest",
        description=__doc__,
        epilog=EXAMPLES,
    )
    p.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help=".csv or .tsv with a header, .jsonl, each also .gz; -",
    )
    p.add_argument("--tape", type=Path, required=True, help="made, or added to if it is there")
    how = p.add_argument_group("what is read")
    how.add_argument("--key", metavar="COL", help="column of the keys; default key")
    how.add_argument(
        "--key-template",
        action="append",
        default=[],
        metavar="TEXT",
        help='key made of columns: "capital of {name}"; {} is the value column\'s name',
    )
    how.add_argument(
        "--value", action="append", metavar="COL", help="default value; may be given again"
    )
    how.add_argument("--many", action="store_true", help="a key has all its values, in order")
    how.add_argument("--delimiter", metavar="CHAR", help='default "," or, in .tsv, tab')
    how.add_argument("--source", metavar="NAME", help="where they come from; default FILE's name")
    how.add_argument(
        "--bad", choices=("skip", "stop"), default="stop", help="rows that are no fact"
    )
    how.add_argument(
        "--on-conflict", choices=ON_CONFLICT, default="error", help="a key with another value"
    )
    how.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    new = p.add_argument_group("the tape")
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
    new.add_argument(
        "--grow",
        action=argparse.BooleanOptionalAction,
        help="whether it may grow, from now on; default as it was made (grow)",
    )
    return p


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser()
    args = p.parse_args(argv)
    name, steps = str(args.file), Steps(output("stderr"))
    try:
        columns = _check(args)
        vocabulary = _vocabulary(args)
        with steps.step("reading") as advance, _named(name):
            rows = _counted(read_rows(args.file, columns, args.delimiter, args.many), advance)
            table = gather(rows, args.on_conflict, args.bad, args.many, vocabulary)
        _warn_bad(name, table)
        with HoloTape.edit(args.tape, new=lambda: _planned(args, table)) as tape:
            if args.grow is not None:
                tape.grow(args.grow)
            with steps.step("binding", len(table.facts)) as advance, _named(name):
                done = ingest(tape, table, args.source or _source(args), args.on_conflict, advance)
            steps.say("saving")
    except KeyboardInterrupt:
        say(f"stopped; {quoted(str(args.tape))} is as it was", "stderr")
        return STOPPED
    except (ValueError, TypeError, OverflowError, OSError) as error:
        p.error(reason(error))
    _report(args, tape, reports.ingested(table, done))
    return 0


def _vocabulary(args: argparse.Namespace) -> Vocabulary | None:
    """The values of the tape that is there, where rows with another one are to be skipped."""
    if args.bad != "skip" or not args.tape.exists():
        return None
    return HoloTape.load(args.tape).vocabulary


def _planned(args: argparse.Namespace, table: FactTable) -> HoloTape:
    """A new tape for a table, shaped by the flags."""
    if not table.facts:
        raise ValueError(f"{args.file}: holds no fact, so there is no tape to plan")
    given = {name: getattr(args, name) for name in ("accuracy", "alpha", "decoder")}
    config = {name: value for name, value in given.items() if value is not None}
    return plan_tape(table, args.facts, args.values, resolver=not args.no_resolver, **config)


def _report(args: argparse.Namespace, tape: HoloTape, counts: dict[str, Any]) -> None:
    """Print what has been done."""
    grown = [str(growth) for growth in tape.growths]
    overload = reports.overload_line(tape.capacity())
    if args.json:
        file = {"file": str(args.file), **counts, "tape": str(args.tape)}
        say_json(file | reports.tape_size(tape) | {"grown": grown, "overload": overload})
        return
    say(f"{quoted(str(args.file))}: {reports.ingested_line(counts)}")
    for line in grown:
        say(f"{quoted(str(args.tape))}: {line}")
    say(f"{quoted(str(args.tape))}: {tape}")
    if overload is not None:
        say(f"{quoted(str(args.tape))}: {overload}", "stderr")


def _warn_bad(name: str, table: FactTable) -> None:
    for row in table.bad[:SHOWN]:
        say(f"{quoted(name)}: line {row.line}: {row.why}; skipped", "stderr")
    if len(table.bad) > SHOWN:
        say(f"{quoted(name)}: {len(table.bad) - SHOWN:,} more bad rows skipped", "stderr")


def _source(args: argparse.Namespace) -> str:
    return "stdin" if args.file == STDIN else args.file.name


def _counted(rows: Iterable[Any], advance: Any) -> Iterator[Any]:
    """The rows, with a call of ``advance`` now and then."""
    for number, row in enumerate(rows, start=1):
        if number % READ == 0:
            advance(READ)
        yield row


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Put the file's name before what is wrong with it."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _check(args: argparse.Namespace) -> Columns:
    """Refuse, before any work is done, what cannot end well; the columns that are wanted.

    Raises:
        ValueError: nothing can be written at ``--tape``, a flag that plans a tape where there is
            one already, or columns that make no fact.
        OSError: a link at ``--tape`` that leads back to itself.
    """
    path = args.tape
    if path.exists() and not path.is_file():
        raise ValueError(f"--tape {path}: is not a file")
    target = resolved(path)
    folder = target.parent if path.is_symlink() else path.parent
    if not target.parent.is_dir():
        raise ValueError(f"--tape {path}: there is no folder {folder}")
    if not os.access(target.parent, os.W_OK):
        raise ValueError(f"--tape {path}: folder {folder} cannot be written")
    for name in PLANNED:
        if path.exists() and getattr(args, name) is not None:
            flag = f"--{name.replace('_', '-')}"
            raise ValueError(f"{flag}: {path} is there already, and its shape is fixed")
    if args.source is not None and not args.source.strip():
        raise ValueError(f"--source {args.source!r}: must not be empty")
    if args.many and args.on_conflict != "error":
        raise ValueError("--on-conflict: with --many all values are kept, so there is no conflict")
    if args.key is not None and args.key_template:
        raise ValueError("--key: --key-template makes the keys")
    if args.delimiter is not None:
        args.delimiter = {"tab": "\t", "\\t": "\t"}.get(args.delimiter, args.delimiter)
    with _named(str(args.file)):
        check_name(args.file, args.delimiter)
        return Columns(args.key or "key", args.value or ["value"], args.key_template)


if __name__ == "__main__":
    sys.exit(main())
