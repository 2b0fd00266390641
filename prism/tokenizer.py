"""``python -m prism.tokenizer train``: a byte-level BPE from one's own text.

Digits stay single, and documents that are held out from training a model are not seen here either.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from prism.command import Parser
from prism.data.bpe import train_tokenizer

EXAMPLES = """\
examples:
  python -m prism.tokenizer train --vocab-size 10000 essays.txt corpus/
  python -m prism.tokenizer train --vocab-size 1000 pydoc --out small.json
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = Parser(
        prog="python -m prism.tokenizer",
        description=__doc__,
        epilog=EXAMPLES,
    )
    commands = p.add_subparsers(dest="command", required=True, metavar="COMMAND")
    train = commands.add_parser("train", help="train a tokenizer and write a tokenizer.json")
    train.add_argument("files", nargs="+", metavar="FILE", help="files, folders, patterns or mixes")
    train.add_argument("--vocab-size", type=int, default=10_000, help="number of ids")
    train.add_argument("--out", type=Path, default=Path("tokenizer.json"), help="file to write")
    return p


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser()
    args = p.parse_args(argv)
    try:
        print(train_tokenizer(args.files, args.vocab_size, args.out))
    except ValueError as error:
        p.error(str(error))
    except OSError as error:
        p.error(f"--out {args.out}: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
