"""``python -m prism.distill``: capture a teacher's distribution, look at it, hand it on.

Exit codes: 0 done, 2 bad input, 3 a file of records that has defects, 130 stopped, 141 the output
cannot be written.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from prism.command import Parser, command
from prism.distill.commands import DEEDS
from prism.distill.store import CODECS
from prism.distill.teacher import DTYPES
from prism.whole_file import reason

EXAMPLES = """\
examples:
  python -m prism.distill capture --teacher smollm2 --data file:wiki.txt --tokens 100000 --out store
  python -m prism.distill inspect store
  python -m prism.distill generate --teacher smollm2 --prompts questions.txt --out answers.jsonl
  python -m prism.distill validate answers.jsonl --keep-good good.jsonl
  python -m prism.distill convert answers.jsonl answers.columns
  python -m prism.run_scale --data store:store --tokenizer student.json --distill full
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = Parser(prog="python -m prism.distill", description=__doc__, epilog=EXAMPLES)
    deeds = p.add_subparsers(dest="deed", required=True, metavar="DEED")
    _add_capture(deeds.add_parser("capture", help="hidden states of a teacher over text"))
    _add_generate(deeds.add_parser("generate", help="answers with the top k of every token"))
    check = deeds.add_parser("validate", help="every defect of a file of answers")
    check.add_argument("file", type=Path, metavar="FILE", help="JSON lines")
    check.add_argument("--top-k", type=int, metavar="K", help="default as in the first line")
    check.add_argument("--vocab-size", type=int, metavar="V", help="ids must be below")
    check.add_argument("--keep-good", type=Path, metavar="FILE", help="write the other lines here")
    change = deeds.add_parser("convert", help="JSON lines to columns, or back; exact")
    change.add_argument("file", type=Path, metavar="FILE")
    change.add_argument("out", type=Path, metavar="OUT", help=".columns or .jsonl")
    look = deeds.add_parser("inspect", help="what a store, columns or JSON lines hold")
    look.add_argument("file", type=Path, metavar="FILE")
    look.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    export = deeds.add_parser("export", help="the top k of a store as JSON lines")
    export.add_argument("file", type=Path, metavar="STORE")
    export.add_argument("out", type=Path, metavar="OUT", help=".jsonl or .columns")
    export.add_argument("--top-k", type=int, default=50, metavar="K", help="default 50")
    _add_replicate(deeds.add_parser("replicate", help="how close students are to the teacher"))
    return p


def _add_capture(p: argparse.ArgumentParser) -> None:
    _add_teacher(p)
    p.add_argument("--data", required=True, metavar="MIX", help="text, as for run_scale")
    p.add_argument("--out", type=Path, required=True, metavar="DIR", help="store; is gone on with")
    p.add_argument("--codec", choices=CODECS, default="fp16", help="default fp16")
    p.add_argument("--tokens", type=int, metavar="N", help="of the teacher, about; default all")
    p.add_argument("--context", type=int, default=1024, metavar="N", help="tokens of a window")
    p.add_argument("--max-kl", type=float, default=6.8e-4, metavar="NATS", help="codec fisher")
    p.add_argument("--calibration", type=int, default=8192, metavar="N", help="codec fisher")


def _add_teacher(p: argparse.ArgumentParser) -> None:
    p.add_argument("--teacher", required=True, help="smollm2, or a model that prism.load reads")
    p.add_argument("--dtype", choices=tuple(DTYPES), default="fp32", help="of the teacher's body")


def _add_sampling(p: argparse.ArgumentParser) -> None:
    p.add_argument("--temperature", type=float, default=1.0, help="0 = the likeliest token")
    p.add_argument("--top-p", type=float, default=1.0, help="default 1: all tokens")
    p.add_argument("--max-tokens", type=int, default=256, metavar="N", help="of an answer")
    p.add_argument("--seed", type=int, default=0, help="of the draws")


def _add_generate(p: argparse.ArgumentParser) -> None:
    _add_teacher(p)
    p.add_argument("--prompts", type=Path, required=True, metavar="FILE",
                   help="a line each, or .jsonl with prompt or messages")  # fmt: skip
    p.add_argument("--out", type=Path, required=True, metavar="FILE", help="is gone on with")
    p.add_argument("--top-k", type=int, default=50, metavar="K", help="default 50")
    _add_sampling(p)


def _add_replicate(p: argparse.ArgumentParser) -> None:
    p.add_argument("--teacher", required=True, help="smollm2, or a model that prism.load reads")
    p.add_argument("--student", action="append", required=True, metavar="RUN", help="each of them")
    p.add_argument("--answers", type=Path, required=True, metavar="FILE",
                   help="JSON lines of the teacher, for prompts that no student saw")  # fmt: skip
    p.add_argument("--trained", type=Path, metavar="FILE", help="JSON lines trained on: overlap")
    p.add_argument("--out", type=Path, metavar="FILE", help="write the report as JSON")
    _add_sampling(p)


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser()
    args = p.parse_args(argv)
    try:
        return DEEDS[args.deed](args)
    except (ValueError, OSError, ImportError) as error:
        p.error(reason(error))


if __name__ == "__main__":
    sys.exit(main())
