"""Rows that cannot be read, left out and counted (``--skip-bad-rows``).

A row that is not JSON, lacks its field, or is not UTF-8 becomes a document without text, which
every reader passes over. Each is told once, with its place. More than were allowed are an error, as
the first is without a tolerance. A file that cannot be opened is an error always.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from functools import partial

from prism.data.document import BadRowError, Document
from prism.data.mix import Mix
from prism.data.order import Source, Window

TOLD = 5  # places that are printed


@dataclass
class BadRows:
    """The bad rows of a mix that this process has met.

    Attributes:
        most: how many are left out; one more is an error.
        places: of those met.
    """

    most: int
    places: set[str] = field(default_factory=set)

    def add(self, error: BadRowError) -> None:
        """Count one.

        Raises:
            ValueError: it is one too many.
        """
        if str(error) in self.places:
            return
        if len(self.places) >= self.most:
            count = f"row {self.most + 1} that cannot be read, --skip-bad-rows {self.most}"
            raise ValueError(f"{error} ({count})") from error
        self.places.add(str(error))
        if len(self.places) <= TOLD:
            rest = "; further ones are counted only" if len(self.places) == TOLD else ""
            print(f"skipped: {error}{rest}", file=sys.stderr)


class Tolerant:
    """A source whose bad rows are documents without text."""

    def __init__(self, source: Source, bad: BadRows) -> None:
        self.source, self.bad, self.name = source, bad, source.name

    @property
    def size(self) -> int | None:
        """Bytes of local files, as the source has it."""
        return getattr(self.source, "size", None)

    def segments(self) -> int:
        return self.source.segments()

    def window(self, segment: int, cursor: int) -> Window:
        window = self.source.window(segment, cursor)
        return replace(window, read=partial(self._read, window))

    def fingerprint(self) -> str:
        return self.source.fingerprint()

    def former_fingerprint(self) -> str:
        former = getattr(self.source, "former_fingerprint", self.source.fingerprint)
        return str(former())

    def _read(self, window: Window, i: int) -> Document:
        try:
            return window.read(i)
        except BadRowError as error:
            self.bad.add(error)
            return Document((), str(error))


def tolerant(mix: Mix, most: int) -> tuple[Mix, BadRows]:
    """``mix`` with up to ``most`` bad rows left out, and their count."""
    bad = BadRows(most)
    if most == 0:
        return mix, bad
    sources = [replace(s, source=Tolerant(s.source, bad)) for s in mix.sources]
    return replace(mix, sources=tuple(sources)), bad
