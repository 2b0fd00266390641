"""The text that every CPython carries: the language reference in ``pydoc_data.topics``.

Half a megabyte of English, offline, no install. Its topics quote one another at length, so a
paragraph that came before is left out. A document is a few paragraphs of one topic, about
``PIECE`` characters. The text differs a little between Python versions: compare numbers within one
version.
"""

from __future__ import annotations

import hashlib
import importlib
from functools import cached_property

from prism.data.document import Document, plain
from prism.data.order import Window

PIECE = 2000


class PythonManual:
    """Pieces of the manual's topics."""

    name = "pydoc"

    @cached_property
    def pieces(self) -> list[tuple[str, str]]:
        """Topic and text of each document."""
        topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
        seen: set[str] = set()
        found: list[tuple[str, str]] = []
        for topic in sorted(topics):
            piece: list[str] = []
            for paragraph in topics[topic].split("\n\n"):
                if not paragraph.strip() or paragraph in seen:
                    continue
                seen.add(paragraph)
                piece.append(paragraph)
                if sum(map(len, piece)) >= PIECE:
                    found.append((topic, "\n\n".join(piece)))
                    piece = []
            if piece:
                found.append((topic, "\n\n".join(piece)))
        return found

    def segments(self) -> int:
        return 1

    def window(self, segment: int, cursor: int) -> Window:
        return Window(len(self.pieces), self._document)

    def fingerprint(self) -> str:
        everything = "\0".join(text for _, text in self.pieces)
        return hashlib.blake2b(everything.encode(), digest_size=16).hexdigest()

    def _document(self, i: int) -> Document:
        topic, text = self.pieces[i]
        return plain(text, f"topic {topic!r}")
