"""``python -m prism.hf export RUN OUT``: a folder that ``transformers`` loads.

It loads with ``AutoModelForCausalLM.from_pretrained(OUT, trust_remote_code=True)`` where
transformers and prism are installed, or without the flag after ``import prism.hf``.
"""

from __future__ import annotations

import argparse
import sys

from prism.command import Parser, given
from prism.hf.export import export
from prism.whole_file import reason

EXAMPLES = """\
examples:
  python -m prism.hf export runs/model exported
  python -m prism.hf export model.safetensors exported --tokenizer tokenizer.json
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = Parser(prog="python -m prism.hf", description=__doc__, epilog=EXAMPLES)
    commands = p.add_subparsers(dest="command", required=True, metavar="COMMAND")
    to = commands.add_parser("export", help="write a folder that transformers loads")
    what = "a run, a checkpoint, an export or a save"
    to.add_argument("run", type=given, metavar="RUN", help=what)
    to.add_argument("out", type=given, metavar="OUT", help="the folder, made if needed")
    to.add_argument("--tokenizer", type=given, metavar="FILE", help="bytes or a tokenizer.json")
    return p


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser()
    args = p.parse_args(argv)
    try:
        print(export(args.run, args.out, args.tokenizer))
    except (ValueError, OSError) as error:
        p.error(reason(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
