"""A document: text in parts, of which some are learned and some only read.

Plain text is one learned part. A question with its answer is two: the question is read, the answer
learned; the loss of what is only read is masked by the packer (targets of -100).

Which documents are held out for validation is a fixed property of their text,

    held_out(d)  <=>  blake2b(text of d) / 2^64 < share,

so it depends on no seed, order, file name or number of ranks, and of two equal documents either
both are held out or neither is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Document:
    """One document.

    Attributes:
        parts: pieces of text in order, each with True if it is to be learned.
        where: the place it was read from, for error messages: file and byte, or file and row.
    """

    parts: tuple[tuple[str, bool], ...]
    where: str

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(text for text, _ in self.parts)


def plain(text: str, where: str) -> Document:
    """Text that is learned from its first character to its last."""
    return Document(((text, True),), where)


def held_out(document: Document, share: float) -> bool:
    """True if the document belongs to validation, when a ``share`` in [0, 1) is held out."""
    digest = hashlib.blake2b(document.text.encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "big") < share * 2.0**64
