"""Documents, text in parts that are learned or only read, and rows of tokens made of them.

Plain text is one learned part. A question with its answer is two: the question is read, the answer
learned. A document becomes its ids followed by the end token; the target of a position is the next
id of the same document, and -100 where the next id is not to be learned:

    ids      d_0  d_1 ... d_{n-1}  end
    targets  d_1  d_2 ... end      -100

Which documents are held out for validation is a fixed property of their text,

    held_out(d)  <=>  blake2b(text of d) / 2^64 < share,

so it depends on no seed, order, file name or number of ranks, and of two equal documents either
both are held out or neither is. (Of local files at least one is: :attr:`Mix.shares`.)
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

from prism.data.tokens import Tokenizer

IGNORE = -100  # target of a position with nothing to learn


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


class BadRowError(ValueError):
    """A row of a source, or a passage, that cannot be read; names source and place."""


def number_of(document: Document) -> int:
    """BLAKE2b of the text as an integer below 2^64; the smallest ones are held out."""
    digest = hashlib.blake2b(document.text.encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "big")


def held_out(document: Document, share: float) -> bool:
    """True if the document belongs to validation, when a ``share`` in [0, 1) is held out."""
    return number_of(document) < share * 2.0**64


@dataclass
class RowBatch:
    """Rows of tokens, each the next piece of one row stream.

    Attributes:
        tokens: ``[n, T]`` int64, rows are row streams in order.
        targets: ``[n, T]`` int64, the next token; -100 where there is none to learn.
        segment_ids: ``[n, T]`` int64, number of the document within its row stream, going on from
            batch to batch; negative = padding.
        sources: per row, names of the sources that the row was read from.
        bytes: ``[n]`` int64, bytes that the targets of each row stand for.
        out_of_domain: ``[n, T]`` bool, True where the text is of a source outside the domain of the
            model; None in held-out batches, and where no source is.
        document: ``[n, T]`` int64, :func:`document_id` of the document that a token is of; None in
            held-out batches.
        offset: ``[n, T]`` int64, position of the token in that document, from 0; None likewise.
    """

    tokens: Tensor
    targets: Tensor
    segment_ids: Tensor
    sources: list[str]
    bytes: Tensor
    out_of_domain: Tensor | None = None
    document: Tensor | None = None
    offset: Tensor | None = None


def encode(document: Document, tokenizer: Tokenizer) -> tuple[Tensor, Tensor]:
    """Ids and targets of a document, ``[n]`` int64 each; both empty if it has no text."""
    ids: list[int] = []
    learned: list[bool] = []
    for text, learn in document.parts:
        piece = tokenizer.encode(text)
        ids += piece
        learned += [learn] * len(piece)
    if not ids:
        return torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64)
    tokens = torch.tensor([*ids, tokenizer.end])
    keep = torch.tensor([*learned, learned[-1]])
    targets = torch.full_like(tokens, IGNORE)
    targets[:-1] = torch.where(keep[1:], tokens[1:], IGNORE)
    return tokens, targets


def document_id(tokens: Tensor) -> int:
    """BLAKE2b of a document's ids as a non-negative int64: equal for the same text and tokenizer,
    wherever the document lies and whenever it is read."""
    digest = hashlib.blake2b(tokens.numpy().tobytes(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def count_bytes(targets: Tensor, byte_lengths: Tensor) -> Tensor:
    """Bytes that the targets of each row stand for: ``[n, T] -> [n]`` int64."""
    return torch.where(targets >= 0, byte_lengths[targets.clamp(min=0)], 0).sum(dim=-1)
