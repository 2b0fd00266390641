"""Text that instructs whoever reads it: in a document it is data, and states no fact.

A document is trusted less than a user and cannot vouch for its reader. A sentence of a document is
left alone, with its whole paragraph, where it speaks to a reader or a machine at all: an order, the
second person, the words of prompts and memories, a label of a role, markup, a claim of authority or
of urgency. Plain declarative sentences about third things remain. This catches the form of an
instruction, not its intent: a false sentence in plain form is a false sentence of that file, has
that file as its source, and never overrides a user.
"""

from __future__ import annotations

import re

from prism.mind.perceive import lexicon

ROLE = lexicon.pattern("role")
MARKUP = lexicon.pattern("markup")
SPEAKS_TO_A_READER = lexicon.pattern("speaks_to_a_reader")
PASTED = re.compile(r"^\s*(?:>|```|\||<|\{|\[|#|//|--)")


def instructs(text: str) -> str | None:
    """Reason for which a line of a document is an instruction to its reader, or None."""
    for what, pattern in (("a role", ROLE), ("markup", MARKUP), ("the reader", SPEAKS_TO_A_READER)):
        if found := pattern.search(text):
            return f"{what}: {found[0].strip()[:30]}"
    return None


def pasted(line: str) -> bool:
    """True for a line of a user's turn that is quoted or pasted, "> ...", a label of a role or
    markup: it is data as in a document, and states nothing."""
    return (
        PASTED.match(line) is not None
        or ROLE.match(line) is not None
        or re.search(r"</?\w+>|\[/?INST|<!--|```", line) is not None
    )
