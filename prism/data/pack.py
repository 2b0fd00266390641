"""From a document to ids and targets, and from streams of documents to rows.

A document is its ids followed by the end token; the target of a position is the next id of the same
document:

    ids      d_0  d_1 ... d_{n-1}  end
    targets  d_1  d_2 ... end      -100

A target is -100 also where the next id is not to be learned (the prompt of an answer). Documents
follow one another without a gap; nothing of them is cut off.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from prism.data.document import Document
from prism.data.tokens import Tokenizer

IGNORE = -100


@dataclass
class RowBatch:
    """Rows of tokens, each the next piece of one stream.

    Attributes:
        tokens: ``[n, T]`` int64, rows are streams in order.
        targets: ``[n, T]`` int64, the next token; -100 where there is none to learn.
        segment_ids: ``[n, T]`` int64, number of the document within its stream, going on from batch
            to batch; negative = padding.
        sources: per stream, names of the sources that the row was read from.
        bytes: ``[n]`` int64, bytes that the targets of each stream stand for.
        out_of_domain: ``[n, T]`` bool, True where the text is of a source outside the domain of the
            model; None in held-out batches, and where no source is.
    """

    tokens: Tensor
    targets: Tensor
    segment_ids: Tensor
    sources: list[str]
    bytes: Tensor
    out_of_domain: Tensor | None = None


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


def count_bytes(targets: Tensor, byte_lengths: Tensor) -> Tensor:
    """Bytes that the targets of each row stand for: ``[n, T] -> [n]`` int64."""
    return torch.where(targets >= 0, byte_lengths[targets.clamp(min=0)], 0).sum(dim=-1)
