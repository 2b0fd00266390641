"""``python -m prism.two_axes_demo``: one model, scaled by training and taught by binding."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from prism.command import STOPPED, Parser, check_seed, output
from prism.record import write_json
from prism.studies.retrieval.demo import draw, first_axis, second_axis
from prism.whole_file import reason

STEPS, STEPS_GROWN, FACTS = 60, 140, 50


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = Parser(prog="python -m prism.two_axes_demo", description=__doc__.split("\n")[0])
    p.add_argument("--steps", type=int, default=STEPS, help="of training before the model grows")
    p.add_argument("--facts", type=int, default=FACTS, help="how many are bound; a multiple of 5")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument(
        "--out", type=Path, default=Path("renders"), metavar="DIR", help="of the picture"
    )
    return p


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser()
    args = p.parse_args(argv)
    console = output()
    try:
        if args.steps < 1:
            raise ValueError(f"--steps {args.steps}: must be >= 1")
        if args.facts < 10 or args.facts % 5:
            raise ValueError(f"--facts {args.facts}: must be a multiple of 5, >= 10")
        check_seed(args.seed)

        def say(words: str) -> None:
            console.print(words, markup=False)

        model, scaled = first_axis(args.steps, STEPS_GROWN, args.seed, say)
        taught = second_axis(model, args.facts, args.seed, say)
        write_json(args.out / "two_axes.json", {"scaled": scaled, "taught": taught})
        draw(scaled, taught, args.out / "two_axes.png")
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return STOPPED
    except (ValueError, OSError) as error:
        p.error(reason(error))
    console.print(f"picture: {args.out / 'two_axes.png'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
