"""The command line of the probe."""

from __future__ import annotations

import argparse
from pathlib import Path

from prism.command import Parser, command, say
from prism.probe.texts import write_text
from prism.whole_file import reason

EXAMPLES = """\
examples:
  python -m prism.probe text --out texts                  English and Thai, out of packages
"""


def parser() -> Parser:
    """The command line."""
    p = Parser(prog="python -m prism.probe", description=__doc__, epilog=EXAMPLES)
    commands = p.add_subparsers(dest="command", required=True, metavar="COMMAND")
    text = commands.add_parser("text", help="write English and Thai text for the flannel model")
    text.add_argument("--out", type=Path, default=Path("texts"), metavar="DIR", help="folder")
    for language in ("english", "thai"):
        text.add_argument(f"--{language}", metavar="MIX", help="source, in place of a package")
        text.add_argument(f"--{language}-bytes", type=int, metavar="N", help="at most so many")
    text.set_defaults(run=_text)
    return p


def _text(args: argparse.Namespace) -> None:
    for language in ("english", "thai"):
        source, limit = getattr(args, language), getattr(args, f"{language}_bytes")
        say(write_text(args.out / f"{language}.txt", source, language, limit))


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser()
    args = p.parse_args(argv)
    try:
        args.run(args)
    except (ValueError, OSError) as error:
        p.error(reason(error))
    return 0
