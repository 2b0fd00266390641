"""``python -m prism.tokenizer train``: a BPE from one's own text, over bytes or over characters.

Digits stay single, and documents that are held out from training a model are not seen here either.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from prism.command import Parser, say
from prism.data.bpe import train_tokenizer
from prism.data.char_bpe import train_char_tokenizer

EXAMPLES = """\
examples:
  python -m prism.tokenizer train --vocab-size 10000 essays.txt corpus/
  python -m prism.tokenizer train --vocab-size 1000 pydoc --out small.json
  python -m prism.tokenizer train --chars english.txt thai.txt --share 80 20
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
    train.add_argument(
        "--chars", action="store_true", help="merge characters, not bytes; a table by script"
    )
    train.add_argument(
        "--share",
        nargs="+",
        type=float,
        metavar="PART",
        help="with --chars: shares of the training bytes, one of each FILE",
    )
    return p


def train(args: argparse.Namespace) -> str:
    """Train what the flags say; the lines to print.

    Raises:
        ValueError: bad input, in one line.
    """
    if args.chars:
        return train_char_tokenizer(args.files, args.vocab_size, args.out, args.share)
    if args.share is not None:
        raise ValueError("--share: needs --chars")
    return train_tokenizer(args.files, args.vocab_size, args.out)


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser()
    args = p.parse_args(argv)
    try:
        say(train(args))
    except ValueError as error:
        p.error(str(error))
    except OSError as error:
        p.error(f"--out {args.out}: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
