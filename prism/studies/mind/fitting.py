"""Command line of weights that are fitted to sets, and the origin that is kept with them."""

from __future__ import annotations

import argparse
from pathlib import Path

from prism.command import Parser
from prism.record import describe
from prism.studies.mind.sets import SentenceSet, load_set


def parser(prog: str, description: str | None, sets: str) -> argparse.ArgumentParser:
    """The command line; ``sets`` are the default ones."""
    p = Parser(prog=prog, description=description)
    p.add_argument("--sets", default=sets, metavar="SET,SET")
    p.add_argument(
        "--held-out",
        type=Path,
        metavar="FILE",
        help="leave the package's weights; fit without each set in turn, write how it reads it",
    )
    return p


def chosen_sets(args: argparse.Namespace) -> list[SentenceSet]:
    """The sets of ``--sets``.

    Raises:
        ValueError: one of them is not there, or ``--held-out`` leaves none to fit to.
    """
    sets = [load_set(name) for name in args.sets.split(",")]
    if args.held_out is not None and len(sets) < 2:
        raise ValueError(f"--sets {args.sets}: must be two or more with --held-out")
    return sets


def origin(command: str) -> dict[str, str]:
    """Command, commit and time of weights that are kept in the package."""
    meta = describe(command, "")
    return {name: meta[name] for name in ("command", "commit", "started")}
