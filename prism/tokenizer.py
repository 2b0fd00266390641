"""``python -m prism.tokenizer``: ``train`` a BPE on one's own text, or ``cut`` a teacher's.

In training, digits stay single, and documents that are held out from training a model are not seen
here either. A tokenizer that is cut keeps the first merges of a teacher's, so that what the teacher
says about its own tokens can be summed exactly into the smaller vocabulary.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from prism import whole_file
from prism.command import Parser, say
from prism.data.bpe.characters import train_char_tokenizer
from prism.data.bpe.nested import cut
from prism.data.bpe.train import train_tokenizer
from prism.data.tokens import FileTokenizer

SMOLLM2 = "smollm2"

EXAMPLES = """\
examples:
  python -m prism.tokenizer train --vocab-size 10000 essays.txt corpus/
  python -m prism.tokenizer train --vocab-size 1000 pydoc --out small.json
  python -m prism.tokenizer train --chars english.txt thai.txt --share 80 20
  python -m prism.tokenizer cut --teacher smollm2 --vocab-size 2052 --out student.json
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
    _add_cut(commands)
    return p


def _add_cut(commands: Any) -> None:
    p = commands.add_parser("cut", help="the first ids of a teacher's tokenizer")
    p.add_argument("--teacher", required=True, help=f"{SMOLLM2}, or a tokenizer.json")
    p.add_argument("--vocab-size", type=int, required=True, help="number of ids to keep")
    p.add_argument("--out", type=Path, default=Path("tokenizer.json"), help="file to write")


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser()
    args = p.parse_args(argv)
    try:
        say(DEEDS[args.command](args))
    except (ValueError, ImportError) as error:
        p.error(str(error))
    except OSError as error:
        p.error(f"--out {args.out}: {error}")
    return 0


def _train(args: argparse.Namespace) -> str:
    """Train what the flags say; the lines to print."""
    if args.chars:
        return train_char_tokenizer(args.files, args.vocab_size, args.out, args.share)
    if args.share is not None:
        raise ValueError("--share: needs --chars")
    return train_tokenizer(args.files, args.vocab_size, args.out)


def _cut(args: argparse.Namespace) -> str:
    """Write the first ids of a tokenizer; a line that says so."""
    if args.teacher == SMOLLM2:
        from prism.pretrained.smollm2 import load_tokenizer  # its packages are optional

        larger = json.loads(load_tokenizer().core.to_str())
    else:
        larger = FileTokenizer(args.teacher).description()
    smaller = json.dumps(cut(larger, args.vocab_size, args.teacher), ensure_ascii=False, indent=1)
    FileTokenizer(args.out, smaller.encode())  # can be read, and has an end token
    whole_file.write(args.out, smaller)
    return f"{args.out}: {args.vocab_size:,} of the {len(larger['model']['vocab']):,} ids"


DEEDS = {"train": _train, "cut": _cut}


if __name__ == "__main__":
    sys.exit(main())
