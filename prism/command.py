"""Shared parts of the command lines: exit codes, errors of one line, and the one way to print.

Whatever a command prints goes through :func:`plain`: values, keys, names of files and text of a
model are data, so a control character in them (a colour, a cursor movement, a change of direction)
is shown, not obeyed. Text of every script is printed as it is. Nothing is markup.
"""

from __future__ import annotations

import argparse
import errno
import functools
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

PIPE_WIDTH = 120  # where there is no terminal to ask
BAD_INPUT, INCONSISTENT = 2, 3  # exit codes; 1 is Python's, after a traceback
STOPPED, PIPE_CLOSED = 130, 141  # after Ctrl-C and SIGPIPE, as shells have them; 141: no output
FREE_CODES = range(4, 126)  # exit codes that a user may choose
EVERY = 5.0  # seconds between lines of progress where there is no terminal
# Controls (C0, DEL, C1), line and paragraph separators, overrides and isolates of the direction of
# writing, halves of characters.
UNSAFE = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]")
NEEDS_QUOTES = re.compile(rf'{UNSAFE.pattern}|^[\s"]|\s$|^$')


class Parser(argparse.ArgumentParser):
    """A command line whose errors are one line, without the usage in between; its description and
    examples keep their lines. Arguments of type ``Path`` must not be blank."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **options)
        self.register("type", Path, lambda text: Path(given(text)))

    def error(self, message: str) -> NoReturn:
        name = self.prog.removeprefix("python -m ")
        with suppress(BrokenPipeError, Unwritten):  # the exit code says it too
            say(f"{name}: {' '.join(message.split())}", "stderr")
        self.exit(BAD_INPUT)


def given(text: str) -> str:
    """``text``, the type of an argument that names something. Blank is what an unset variable of
    the shell gives, and as a path it would mean the working folder.

    Raises:
        argparse.ArgumentTypeError: it is blank.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError(f"{text!r}: must not be empty")
    return text


def check_seed(seed: int) -> None:
    """Raises:
    ValueError: not a seed that every generator takes."""
    if not 0 <= seed < 2**32:
        raise ValueError(f"--seed {seed}: must be >= 0 and below 2**32")


def plain(text: str, keep: str = "") -> str:
    """Text with its control characters written out as JSON does, but for those in ``keep``."""
    return UNSAFE.sub(lambda found: found[0] if found[0] in keep else _written(found[0]), text)


def _written(character: str) -> str:
    return json.dumps(character)[1:-1] if character < "\x7f" else f"\\u{ord(character):04x}"


def quoted(text: str) -> str:
    """Text as it stands in a line: in quotes, as JSON has them, where it would break the line or
    seem another."""
    if NEEDS_QUOTES.search(text) is None:
        return text
    return '"' + plain(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def say(text: str, stream: str = "stdout") -> None:
    """Print lines of text."""
    write(f"{text}\n", stream)


def say_json(report: dict[str, Any]) -> None:
    """Print an object as one line of JSON, ASCII where the output cannot carry more."""
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    say(json.dumps(report, ensure_ascii=not unicode, allow_nan=False))


class Unwritten(Exception):
    """An output that cannot be written, for another reason than that its reader has gone."""


def write(text: str, stream: str | TextIO = "stdout") -> None:
    """Write text, which may hold line breaks and tabs.

    Raises:
        BrokenPipeError: the reader has gone.
        Unwritten: the disk is full, or whatever else the system says.
    """
    to = {"stdout": sys.stdout, "stderr": sys.stderr}.get(stream, stream)
    if to is None:
        return  # Python itself has none where the stream was closed at the start
    text, encoding = plain(text, keep="\n\t"), to.encoding or "utf-8"
    try:
        to.write(text.encode(encoding, "backslashreplace").decode(encoding))
        to.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Unwritten(f"the output cannot be written: {error.strerror}") from error


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
    """Let the standard streams of this process be :class:`LastingStream`, for long commands."""
    open_closed_streams()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, LastingStream):
            setattr(sys, name, LastingStream(stream))


def open_closed_streams() -> None:
    """Let a standard stream that was closed at the start (``>&-``) lead nowhere, so that no file
    takes its number."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            handle = os.open(os.devnull, os.O_WRONLY)
            if handle != number:
                os.dup2(handle, number)
                os.close(handle)
            setattr(sys, name, os.fdopen(number, "w", encoding="utf-8", closefd=False))


def output(stream: str = "stdout") -> Console:
    """A console on ``"stdout"`` or ``"stderr"``; plain text of a fixed width outside a terminal."""
    from rich.console import Console  # after the checks of the arguments, which need no console

    to = sys.stdout if stream == "stdout" else sys.stderr
    width = None if to.isatty() else PIPE_WIDTH
    return Console(file=to, width=width, highlight=False, emoji=False, markup=False)


def command(main: Callable[[list[str] | None], int]) -> Callable[[list[str] | None], int]:
    """A main function whose exit code also says that the output cannot be written, or Ctrl-C."""

    @functools.wraps(main)
    def run(argv: list[str] | None = None) -> int:
        open_closed_streams()
        try:
            code = main(argv)
            sys.stdout.flush()
            return code
        except KeyboardInterrupt:
            say("stopped", "stderr")
            return STOPPED
        except (BrokenPipeError, Unwritten) as error:
            _mute()
            if isinstance(error, Unwritten):
                with suppress(BrokenPipeError, Unwritten):
                    say(str(error), "stderr")
            return PIPE_CLOSED

    return run


def _mute() -> None:
    """Send what is still to be printed nowhere, so that Python's end does not fail over it."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _bars(console: Console) -> Progress:
    from rich import progress as rich

    text, bar, count = (
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
    )
    return rich.Progress(text, bar, count, rich.TimeRemainingColumn(), console=console)


class Steps:
    """Progress of the steps of a command: bars on a terminal, else a line now and then.

    Args:
        console: where to; a terminal gets bars.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next, self._said = time.monotonic() + EVERY, False

    def say(self, name: str) -> None:
        """Name a step of unknown length, where the one before took long."""
        if self._console.is_terminal or self._said:
            say(name, "stderr")

    @contextmanager
    def step(self, name: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """A step of so many parts; gives what is to be called with the number done since."""
        done = 0

        def advance(number: int) -> None:
            nonlocal done
            done += number
            if self._console.is_terminal:
                bars.advance(task, number)
            elif time.monotonic() >= self._next:
                self._next, self._said = time.monotonic() + EVERY, True
                say(f"{name}: {done:,}" + ("" if total is None else f" of {total:,}"), "stderr")

        if not self._console.is_terminal:
            yield advance
            return
        with _bars(self._console) as bars:
            task = bars.add_task(name, total=total)
            yield advance
