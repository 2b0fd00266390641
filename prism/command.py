"""Shared parts of the command lines: an error is one line and exit code 2, nothing is lost."""

from __future__ import annotations

import argparse
import sys
from typing import Any, NoReturn

from rich.console import Console

PIPE_WIDTH = 120  # where there is no terminal to ask
STOPPED = 130  # exit code after Ctrl-C, as shells have it


class Parser(argparse.ArgumentParser):
    """A command line whose errors are one line, without the usage in between; its description and
    examples keep their lines."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    def error(self, message: str) -> NoReturn:
        name = self.prog.removeprefix("python -m ")
        self.exit(2, f"{name}: {' '.join(message.split())}\n")


def reason(error: Exception) -> str:
    """Text of an exception without its class: file and cause of an OSError, no quotes around
    the text of a KeyError."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error.args[0]) if error.args else type(error).__name__


def check_seed(seed: int) -> None:
    """Raises:
    ValueError: not a seed that every generator takes."""
    if not 0 <= seed < 2**32:
        raise ValueError(f"--seed {seed}: must be >= 0 and below 2**32")


def output(stream: str = "stdout") -> Console:
    """A console on ``"stdout"`` or ``"stderr"``; plain text of a fixed width outside a terminal."""
    to = sys.stdout if stream == "stdout" else sys.stderr
    return Console(file=to, width=None if to.isatty() else PIPE_WIDTH, highlight=False)
