"""Bank of wordings: how everyday relations are asked for in words that are not their names.

The ``.txt`` files beside this module are its source, one kind of thing after the other::

    @ city                                  a kind of thing
    # mayor | lord mayor                    a relation, its other names
    {} is run by                            wordings, {} for the subject, up to where a value stands

The relations of one kind are all different: they are each other's rivals. Written as general
vocabulary; a relation that is not in it is judged by its name alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).parent
SLOT, STANDS = "{}", "X"  # for the subject: in the files, in the texts that are compared


@dataclass(frozen=True)
class WordedRelation:
    """One relation of a kind of thing: ``names``, the first is the usual one, and ``wordings``."""

    kind: str
    names: tuple[str, ...]
    wordings: tuple[str, ...]

    def texts(self) -> list[str]:
        """Everything that asks for it, with X for the subject."""
        return [*(w.replace(SLOT, STANDS) for w in self.wordings), *map(statement, self.names)]


def statement(name: str) -> str:
    """The plainest wording of a relation."""
    return f"The {name} of {STANDS} is"


@lru_cache(maxsize=1)
def relations() -> tuple[WordedRelation, ...]:
    """All relations of the bank, those of a kind together."""
    files = sorted(FOLDER.glob("*.txt"))
    return tuple(r for path in files for r in read(path.read_text("utf-8"), path.name))


def read(text: str, name: str) -> list[WordedRelation]:
    """The relations of one file.

    Raises:
        ValueError: a line of another form; names file and line.
    """
    kind, names, wordings = "", (), []
    found = []

    def close() -> None:
        if names:
            found.append(WordedRelation(kind, names, tuple(wordings)))
            wordings.clear()

    for number, line in enumerate(map(str.strip, text.splitlines()), start=1):
        if line[:1] in ("@", "#"):
            close()
            if line[0] == "@":
                kind, names = line[1:].strip(), ()
            else:
                names = tuple(n.strip() for n in line[1:].replace("|", ",").split(","))
        elif line:
            if not kind or not names or line.count(SLOT) != 1:
                form = f"must be @ kind, # relation, or a wording of one with one {SLOT}"
                raise ValueError(f"{name}, line {number}: {line!r}: {form}")
            wordings.append(line)
    close()
    return found
