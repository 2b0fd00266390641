"""``torchrun -m prism.run_scale``: train a model on text, on one process or many."""

from __future__ import annotations

import argparse
import sys

from prism.command import Parser
from prism.engine.builders import BUILT_IN
from prism.engine.extension import Extension
from prism.engine.flags import add_flags, given, refuse_former
from prism.engine.run import run
from prism.engine.settings import RENAMED, Settings

# Losses, observers and data of the packages that build on the engine, which imports none of them.
EXTENSIONS: list[Extension] = [*BUILT_IN]

EXAMPLES = """\
examples:
  python -m prism.run_scale --smoke                       everything once, offline, a minute
  python -m prism.run_scale --preset 350m --dry-run       what it would cost
  python -m prism.run_scale --preset tiny --data pydoc --steps 2000 --out-dir runs/tiny
  python -m prism.run_scale --resume runs/tiny            go on, exactly
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = Parser(
        prog="python -m prism.run_scale",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_flags(p, Settings)
    for extension in EXTENSIONS:
        if extension.flags is not None:
            add_flags(p, extension.flags)
    refuse_former(p, RENAMED)
    return p


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser()
    flags = given(p.parse_args(argv))
    try:
        return run(flags, EXTENSIONS)
    except ValueError as error:
        p.error(str(error))


if __name__ == "__main__":
    sys.exit(main())
