"""``torchrun -m prism.run_scale``: train a model on text, on one process or many."""

from __future__ import annotations

import argparse
import sys

from prism.command import STOPPED, Parser, outlive_the_terminal
from prism.distill.extension import DISTILLATION
from prism.engine.builders import BUILT_IN
from prism.engine.extension import Extension
from prism.engine.flags import add_flags, given, refuse_former
from prism.engine.loop.observer import ObserverError
from prism.engine.parallel.world import ElsewhereError, is_lost_rank, out_of_memory
from prism.engine.run import LOST_RANK, run
from prism.engine.settings import RENAMED, Settings
from prism.probe.extension import EXTENSION as PROBE
from prism.whole_file import reason

# Losses, observers and data of the packages that build on the engine, which imports none of them.
EXTENSIONS: list[Extension] = [*BUILT_IN, DISTILLATION, PROBE]

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
    )
    add_flags(p, Settings)
    for extension in EXTENSIONS:
        if extension.flags is not None:
            add_flags(p, extension.flags)
    refuse_former(p, RENAMED)
    return p


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    outlive_the_terminal()
    p = parser()
    flags = given(p.parse_args(argv))
    try:
        return run(flags, EXTENSIONS)
    except ElsewhereError:
        return 2  # the rank that failed says it
    except (ValueError, OSError) as error:
        p.error(reason(error))
    except ObserverError as error:  # at a resume; while training the run says it
        p.error(str(error))
    except KeyboardInterrupt:
        print("prism.run_scale: stopped at once; the last checkpoint is whole", file=sys.stderr)
        return STOPPED
    except (RuntimeError, MemoryError) as error:
        need = out_of_memory(error)
        if need is not None:
            p.error(f"{need}; a smaller model, --seq-len or --micro-batch-size, or --recompute, "
                    "needs less, and --dry-run says how much")  # fmt: skip
        if not is_lost_rank(error):
            raise
        print("prism.run_scale: another rank has ended; --resume goes back to the last checkpoint",
              file=sys.stderr)  # fmt: skip
        return LOST_RANK


if __name__ == "__main__":
    sys.exit(main())
