"""``python -m prism.ask``: ask a tape, list and audit its facts, forget some of them.

"unknown" is an answer, so the exit code is 0 for it; 2 is bad input, and 1 an audit that found a
accumulator other than its ledger lists.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from prism.command import Parser, output, reason
from prism.holo import HoloTape, reports
from prism.holo.capacity_plot import SUFFIXES, draw, measure
from prism.holo.parts import DECODERS

EXAMPLES = """\
examples:
  python -m prism.ask --tape facts.safetensors "capital of Freedonia" "captial of Freedonia"
  python -m prism.ask --tape facts.safetensors --decoder filter --alpha 0.5 "capital of Atlantis"
  python -m prism.ask --tape facts.safetensors --forget "capital of Freedonia" --audit
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = Parser(
        prog="python -m prism.ask",
        description=__doc__,
        epilog=EXAMPLES,
    )
    p.add_argument("question", nargs="*", metavar="KEY", help="what to ask for")
    p.add_argument("--tape", type=Path, required=True, help="a tape, as prism.ingest makes it")
    p.add_argument(
        "--alpha", type=float, metavar="P", help="rate of false answers; default as made"
    )
    p.add_argument(
        "--decoder", choices=DECODERS, help="filter: ask the accumulator, not the key list"
    )
    p.add_argument("--exact", action="store_true", help="take no misspelling for a stored key")
    p.add_argument("--forget", action="append", default=[], metavar="KEY", help="take a fact out")
    p.add_argument(
        "--erase-history", action="store_true", help="the ledger keeps nothing of facts gone"
    )
    p.add_argument("--list", action="store_true", help="all facts")
    p.add_argument("--audit", action="store_true", help="read all again, check the accumulator")
    p.add_argument("--plot", type=Path, metavar="FILE", help=f"capacity; {', '.join(SUFFIXES)}")
    p.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    return p


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser()
    args = p.parse_args(argv)
    try:
        _check(args)
        said = _run(HoloTape.load(args.tape), args)
    except (ValueError, KeyError, OSError) as error:
        p.error(reason(error))
    if args.json:
        print(json.dumps(said, ensure_ascii=False, allow_nan=False))
    else:
        console = output()
        for line in reports.lines(said):
            console.print(line, markup=False, soft_wrap=True)
    return 1 if said.get("audit", {}).get("consistent") is False else 0


def _check(args: argparse.Namespace) -> None:
    """Raises:
    ValueError: nothing to do, or a flag that would change nothing."""
    wanted = (args.question, args.list, args.forget, args.erase_history, args.audit, args.plot)
    if not any(wanted):
        raise ValueError(
            "nothing to do: give a key, --list, --forget, --erase-history, --audit or --plot"
        )
    for flag in ("alpha", "decoder", "exact"):
        if getattr(args, flag) not in (None, False) and not args.question:
            raise ValueError(f"--{flag}: needs a key to ask for")
    if args.exact and args.decoder is not None:
        raise ValueError(f"--exact: --decoder {args.decoder} takes every key as it is already")
    if args.plot is not None and args.plot.suffix not in SUFFIXES:
        raise ValueError(f"--plot {args.plot}: must end in {', '.join(SUFFIXES)}")
    if args.plot is not None and not args.plot.parent.is_dir():
        raise ValueError(f"--plot {args.plot}: there is no folder {args.plot.parent}")


def _run(tape: HoloTape, args: argparse.Namespace) -> dict[str, Any]:
    """Everything that was asked for, in the order of the report: facts are forgotten first."""
    said: dict[str, Any] = {}
    if args.forget:
        said["forgotten"] = [key.strip() for key in args.forget]
        for key in said["forgotten"]:
            if (
                key not in tape
            ):  # a misspelt key is named, never forgotten in place of the right one
                near = tape.resolver.resolve(key) if tape.resolver is not None else None
                hint = "" if near is None else f"; did you mean {near!r}?"
                raise KeyError(f"--forget {key!r}: is not bound{hint}")
        tape.forget_many(said["forgotten"])
    if args.erase_history:
        said["erased"] = tape.erase_history()
    if args.forget or args.erase_history:
        tape.save(args.tape)
    if args.question:
        keys = [key.strip() for key in args.question]
        answers = tape.recall_many(keys, args.alpha, args.decoder, resolve=not args.exact)
        said["answers"] = [reports.answer(*pair) for pair in zip(keys, answers, strict=True)]
    if args.list:
        said["facts"] = [reports.listed(fact) for fact in tape.facts()]
    if args.audit:
        said["audit"] = reports.audited(tape.count, tape.audit(), tape.capacity())
    if args.plot is not None:
        draw(measure(tape), args.plot)
        said["plot"] = str(args.plot)
    return said


if __name__ == "__main__":
    sys.exit(main())
