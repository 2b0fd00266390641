"""``python -m prism.ask``: ask a tape, list, audit, update, forget its facts.

Exit codes: 0 done ("unknown" is an answer; --unknown-exit gives it a code of its own), 2 bad input,
3 an audit that found an accumulator other than its ledger lists, 130 stopped, 141 the output
cannot be written.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from prism.command import FREE_CODES, INCONSISTENT, Parser, command, say, say_json
from prism.holo import HoloTape, reports
from prism.holo.capacity_plot import SUFFIXES, draw, measure
from prism.holo.parts import DECODERS
from prism.holo.reading.read import open_table
from prism.whole_file import reason

EXAMPLES = """\
examples:
  python -m prism.ask --tape facts.safetensors "capital of Freedonia" "captial of Freedonia"
  python -m prism.ask --tape facts.safetensors --keys keys.txt --json --unknown-exit 4
  python -m prism.ask --tape facts.safetensors --decoder filter --alpha 0.5 "capital of Atlantis"
  python -m prism.ask --tape facts.safetensors --update "capital of Freedonia" Newtown
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
    p.add_argument("--keys", type=Path, metavar="FILE", help="a key a line to ask for; - is stdin")
    p.add_argument(
        "--alpha", type=float, metavar="P", help="rate of false answers; default as made"
    )
    p.add_argument(
        "--decoder", choices=DECODERS, help="filter: ask the accumulator, not the key list"
    )
    guess = p.add_mutually_exclusive_group()
    guess.add_argument("--exact", action="store_true", help="no guesses; the default with --json")
    guess.add_argument("--guess", action="store_true", help="offer the key that may be meant")
    p.add_argument(
        "--unknown-exit", type=int, metavar="CODE", help="exit code if a key is unknown; default 0"
    )
    p.add_argument(
        "--update", nargs=2, action="append", default=[], metavar=("KEY", "VALUE"), help="replace"
    )
    p.add_argument("--forget", action="append", default=[], metavar="KEY", help="take a fact out")
    p.add_argument(
        "--erase-history", action="store_true", help="the ledger keeps nothing of facts gone"
    )
    p.add_argument(
        "--grow",
        action=argparse.BooleanOptionalAction,
        help="let the tape grow from now on, at once if it is too full; or not",
    )
    p.add_argument("--list", action="store_true", help="all facts")
    p.add_argument("--audit", action="store_true", help="read all again, check the accumulator")
    p.add_argument("--plot", type=Path, metavar="FILE", help=f"capacity; {', '.join(SUFFIXES)}")
    p.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    return p


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser()
    args = p.parse_args(argv)
    try:
        _check(args)
        if _changes(args):
            if not args.tape.exists():
                raise FileNotFoundError(2, "no such file", str(args.tape))
            with HoloTape.edit(args.tape) as tape:  # saved at the end, if all went well
                said = _run(tape, args)
        else:
            said = _run(HoloTape.load(args.tape), args)
    except (ValueError, TypeError, KeyError, OverflowError, OSError) as error:
        p.error(reason(error))
    if args.json:
        say_json(said)
    else:
        for line in reports.lines(said):
            say(line)
    if said.get("audit", {}).get("consistent") is False:
        return INCONSISTENT
    unknown = any(answer["value"] is None for answer in said.get("answers", []))
    return args.unknown_exit if unknown and args.unknown_exit is not None else 0


def _changes(args: argparse.Namespace) -> bool:
    return bool(args.update or args.forget or args.erase_history or args.grow is not None)


def _check(args: argparse.Namespace) -> None:
    """Read the keys; refuse, before the tape is touched, what cannot be done.

    Raises:
        ValueError: nothing to do, a flag that would change nothing, or one out of range.
    """
    if args.keys is not None:
        try:
            with open_table(args.keys) as file:
                args.question += [line.strip() for line in file if line.strip()]
        except ValueError as error:
            raise ValueError(f"--keys {args.keys}: {error}") from error
        if not args.question:
            raise ValueError(f"--keys {args.keys}: holds no key")
    if not (args.question or args.list or args.audit or args.plot or _changes(args)):
        raise ValueError(
            "nothing to do: give a key, --keys, --list, --update, --forget, --erase-history, "
            "--grow, --audit or --plot"
        )
    for flag in ("alpha", "decoder", "exact", "guess", "unknown_exit"):
        if getattr(args, flag) not in (None, False) and not args.question:
            raise ValueError(f"--{flag.replace('_', '-')}: needs a key to ask for")
    if args.alpha is not None and not 0 < args.alpha <= 1:
        raise ValueError(f"--alpha {args.alpha:g}: must be in (0, 1]")
    if args.unknown_exit is not None and args.unknown_exit not in FREE_CODES:
        allowed = f"{FREE_CODES.start}..{FREE_CODES.stop - 1}, the others have a meaning"
        raise ValueError(f"--unknown-exit {args.unknown_exit}: must be in {allowed}")
    for flag in ("exact", "guess"):
        if getattr(args, flag) and args.decoder is not None:
            raise ValueError(f"--{flag}: --decoder {args.decoder} takes every key as it is already")
    for key in (*args.question, *args.forget, *(key for key, _ in args.update)):
        if not key.strip():
            raise ValueError(f"key {key!r}: must not be empty")
    for key, text in args.update:
        if not text.strip():
            raise ValueError(f"--update {key!r}: value {text!r}: must not be empty")
    if args.plot is not None and args.plot.suffix not in SUFFIXES:
        raise ValueError(f"--plot {args.plot}: must end in {', '.join(SUFFIXES)}")
    if args.plot is not None and not args.plot.parent.is_dir():
        raise ValueError(f"--plot {args.plot}: there is no folder {args.plot.parent}")


def _run(tape: HoloTape, args: argparse.Namespace) -> dict[str, Any]:
    """Everything that was asked for, in the order of the report: changes come first. The tape in
    memory is changed; its file only when all is done."""
    said: dict[str, Any] = {}
    if args.grow is not None:
        tape.grow(args.grow)
        said["grow"] = args.grow
    if args.forget:
        said["forgotten"] = [key.strip() for key in args.forget]
        for key in said["forgotten"]:
            _bound(tape, key, "--forget")
        tape.forget_many(said["forgotten"])
    if args.update:
        _once(tape, [key.strip() for key, _ in args.update])
        said["updated"] = [_updated(tape, key.strip(), text.strip()) for key, text in args.update]
    if tape.growths:
        said["grown"] = [str(growth) for growth in tape.growths]
    if args.erase_history:
        said["erased"] = tape.erase_history()
    if args.question:
        keys = [key.strip() for key in args.question]
        guess = args.guess or not (args.exact or args.json)
        answers = tape.recall_many(keys, args.alpha, args.decoder, resolve=guess)
        said["answers"] = [reports.answer(*pair) for pair in zip(keys, answers, strict=True)]
    if args.list:
        said["facts"] = [reports.listed(fact) for fact in tape.facts()]
    if args.audit:
        said["audit"] = reports.audited(tape.count, tape.audit(), tape.capacity())
    if args.plot is not None:
        draw(measure(tape), args.plot)
        said["plot"] = str(args.plot)
    return said


def _bound(tape: HoloTape, key: str, flag: str) -> None:
    """Raises:
    KeyError: the key is not bound; a misspelt one is named, and never changed in its place."""
    if tape.ledger is None:
        raise ValueError(f"{flag}: this tape has no ledger, so it cannot know what is bound")
    if key not in tape:
        near = tape.resolver.resolve(key) if tape.resolver is not None else None
        hint = "" if near is None else f"; did you mean {near!r}?"
        raise KeyError(f"{flag} {key!r}: is not bound{hint}")


def _once(tape: HoloTape, keys: list[str]) -> None:
    """Raises:
    ValueError: one key is to get two values."""
    seen: set[int] = set()
    for key, code in zip(keys, tape.hash(keys).tolist(), strict=True):
        if code in seen:
            raise ValueError(f"--update {key!r}: is given twice")
        seen.add(code)


def _updated(tape: HoloTape, key: str, text: str) -> dict[str, Any]:
    """Give a bound key another value; a sequence becomes one of a single item."""
    _bound(tape, key, "--update")
    value: Any = text
    if tape.vocabulary.items is None:
        if not text.isdecimal():
            raise ValueError(f"--update {key!r} {text!r}: must be a whole number")
        value = int(text)
    tape.update(key, (value,) if tape.config.sequence else value, source="update")
    return {"key": key, "value": text}


if __name__ == "__main__":
    sys.exit(main())
