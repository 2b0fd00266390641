"""Shared parts of the command lines: an error is one line and exit code 2, nothing is lost."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from typing import IO, Any, NoReturn

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


class LastingStream:
    """An output stream whose end breaks nothing: once its reader is gone (a closed terminal, a
    pipe to ``head``), what is written is dropped."""

    def __init__(self, stream: IO[str]) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write, or drop; the number of characters."""
        try:
            return self.stream.write(text)
        except OSError as error:
            self._end(error)
            return len(text)

    def flush(self) -> None:
        """Flush, or drop."""
        try:
            self.stream.flush()
        except OSError as error:
            self._end(error)

    def _end(self, error: OSError) -> None:
        if error.errno in FULL:
            return
        if error.errno not in BROKEN:
            raise error
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, self.stream.fileno())  # for all who write there, and at the exit
        os.close(nothing)


BROKEN = (errno.EPIPE, errno.EIO, errno.EBADF)
FULL = (errno.ENOSPC, errno.EDQUOT)  # of the disk that a log goes to; may have room again


def outlive_the_terminal() -> None:
    """Let the standard streams of this process be :class:`LastingStream`, for long commands. One
    that was closed at the start leads nowhere, so that no file takes its number."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            handle = os.open(os.devnull, os.O_WRONLY)
            if handle != number:
                os.dup2(handle, number)
                os.close(handle)
            stream = os.fdopen(number, "w", encoding="utf-8", closefd=False)
        if not isinstance(stream, LastingStream):
            setattr(sys, name, LastingStream(stream))


def output(stream: str = "stdout") -> Console:
    """A console on ``"stdout"`` or ``"stderr"``; plain text of a fixed width outside a terminal."""
    to = sys.stdout if stream == "stdout" else sys.stderr
    return Console(file=to, width=None if to.isatty() else PIPE_WIDTH, highlight=False)
