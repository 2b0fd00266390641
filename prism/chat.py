"""``python -m prism.chat``: talk to a knowledge base: teach it, ask it, correct it.

What you state is noted and shown; what you ask is answered from what was noted, or not at all.
/help lists the commands. On a pipe, each line of the input is a turn.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from prism.command import Parser, command, say
from prism.mind import Busy, KnowledgeBase
from prism.mind.perceive.parser import Missing, load
from prism.mind.talk import QUIT, Asking, Talk
from prism.whole_file import reason

BUSY = 5
NOT_TEXT = "! the line is not UTF-8: nothing was read of it"
PROMPT = "you> "
EXAMPLES = """\
examples:
  python -m prism.chat --kb mind.db
  echo "My sister's cat is called Momo." | python -m prism.chat --kb mind.db
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = Parser(prog="python -m prism.chat", description=__doc__, epilog=EXAMPLES)
    p.add_argument("--kb", type=Path, required=True, metavar="FILE", help="made if it is not there")
    p.add_argument("--tenant", default="default", metavar="NAME", help="whose facts")
    p.add_argument("--speaker", default="you", metavar="NAME", help="your name, in the sources")
    p.add_argument(
        "--model",
        default="none",
        metavar="none|smollm2|RUN",
        help="speaks the answers; none: they are printed plainly",
    )
    return p


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser()
    args = p.parse_args(argv)
    try:
        with KnowledgeBase(args.kb, args.tenant) as kb:
            talk = Talk(kb, answering(kb, args.model), args.speaker)
            greet(kb)
            for line in lines():
                if line.strip().lower() in [f"/{name}" for name in QUIT]:
                    break
                converse(talk, line)
    except Busy as error:
        say(f"prism.chat: {error}", "stderr")
        return BUSY
    except (ValueError, OSError, ImportError) as error:
        p.error(reason(error))
    return 0


def converse(talk: Talk, line: str) -> None:
    """Print what answers a line. Ctrl-C ends the answer, and on a pipe the command; what was shown
    as noted is in the file, and a turn that was cut off has written all of its facts or none."""
    try:
        for answer in talk.line(line):
            say(answer)
    except KeyboardInterrupt:
        if not sys.stdin.isatty():
            raise
        say("! stopped; /facts shows what was noted")


def answering(kb: KnowledgeBase, model: str) -> Asking:
    """Reflection over the knowledge base, spoken by a model or by none.

    Raises:
        ValueError: no such model, or none with a tokenizer.
    """
    from prism.mind.mind import Mind  # loads the model, after the arguments were checked

    if model == "none":
        return Mind(kb)
    if model == "smollm2":
        return Mind(kb, model)
    from prism.loading import load_with_tokenizer

    return Mind(kb, load_with_tokenizer(model))


def greet(kb: KnowledgeBase) -> None:
    """Say what is there, and what is missing."""
    try:
        load()
    except Missing as error:
        say(f"reduced mode: {error}", "stderr")
    if sys.stdin.isatty():
        say(f"{len(kb):,} facts in {kb.ledger.path}; /help lists the commands, Ctrl-D ends")


def lines() -> Iterator[str]:
    """The lines that the user types, with history and editing where prompt_toolkit is installed;
    Ctrl-C drops the line, Ctrl-D ends. One that is not UTF-8 is named, and left out."""
    if not sys.stdin.isatty():
        yield from piped(getattr(sys.stdin, "buffer", sys.stdin))
        return
    read: Callable[[str], str] = input
    with suppress(ImportError):
        from prompt_toolkit import PromptSession

        read = PromptSession().prompt
    while True:
        try:
            yield read(PROMPT)
        except UnicodeDecodeError:
            say(NOT_TEXT)
        except KeyboardInterrupt:
            say("")
        except EOFError:
            return


def piped(source: Iterable[bytes | str]) -> Iterator[str]:
    """The lines of a pipe, of which one that is not UTF-8 ends no conversation."""
    for line in source:
        try:
            yield line.decode() if isinstance(line, bytes) else line
        except UnicodeDecodeError:
            say(NOT_TEXT)


if __name__ == "__main__":
    sys.exit(main())
