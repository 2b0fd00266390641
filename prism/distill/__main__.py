"""``python -m prism.distill``: capture a teacher's distribution, look at it, hand it on."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from prism.command import Parser, command, say, say_json
from prism.data.mix import parse_mix
from prism.distill.capture import Job, capture, check_job
from prism.distill.store import CODECS, Store
from prism.distill.teacher import DTYPES, open_teacher
from prism.whole_file import reason

EXAMPLES = """\
examples:
  python -m prism.distill capture --teacher smollm2 --data file:wiki.txt --tokens 100000 --out store
  python -m prism.distill inspect store
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = Parser(prog="python -m prism.distill", description=__doc__, epilog=EXAMPLES)
    deeds = p.add_subparsers(dest="deed", required=True, metavar="DEED")
    _add_capture(deeds.add_parser("capture", help="hidden states of a teacher over text"))
    look = deeds.add_parser("inspect", help="what a store holds")
    look.add_argument("file", type=Path, metavar="STORE")
    look.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    return p


def _add_capture(p: argparse.ArgumentParser) -> None:
    _add_teacher(p)
    p.add_argument("--data", required=True, metavar="MIX", help="text, as for run_scale")
    p.add_argument("--out", type=Path, required=True, metavar="DIR", help="store; is gone on with")
    p.add_argument("--codec", choices=CODECS, default="fp16", help="default fp16")
    p.add_argument("--tokens", type=int, metavar="N", help="of the teacher, about; default all")
    p.add_argument("--context", type=int, default=1024, metavar="N", help="tokens of a window")
    p.add_argument("--max-kl", type=float, default=8e-4, metavar="NATS", help="codec fisher")
    p.add_argument("--calibration", type=int, default=8192, metavar="N", help="codec fisher")


def _add_teacher(p: argparse.ArgumentParser) -> None:
    p.add_argument("--teacher", required=True, help="smollm2, or a model that prism.load reads")
    p.add_argument("--dtype", choices=tuple(DTYPES), default="fp32", help="of the teacher's body")


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser()
    args = p.parse_args(argv)
    try:
        return DEEDS[args.deed](args)
    except (ValueError, OSError, ImportError) as error:
        p.error(reason(error))


def _capture(args: argparse.Namespace) -> int:
    check_job(args.tokens, args.context, args.calibration, args.max_kl)
    mix = parse_mix(args.data)
    job = Job(mix, args.data, args.codec, args.tokens, args.context,
              max_kl=args.max_kl, calibration=args.calibration)  # fmt: skip
    capture(job, open_teacher(args.teacher, args.dtype), args.out, lambda line: say(line, "stderr"))
    for line in Store(args.out).describe():
        say(line)
    return 0


def _inspect(args: argparse.Namespace) -> int:
    store = Store(args.file)
    if args.json:
        say_json(store.manifest)
        return 0
    for line in store.describe():
        say(line)
    return 0


DEEDS: dict[str, Callable[[argparse.Namespace], int]] = {"capture": _capture, "inspect": _inspect}

if __name__ == "__main__":
    sys.exit(main())
