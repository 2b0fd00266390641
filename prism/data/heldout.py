"""The held-out documents, packed for validation.

The same documents in the same rows at every call, on any number of processes: the first of every
source in the order in which it stores them, up to its share of a number of tokens. Each document
goes whole to the row that is the shortest so far; the ends of the rows are padded.

    bits/byte = (sum over targets of -log2 p) / (sum of RowBatch.bytes)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from prism.data.document import held_out
from prism.data.mix import Mix
from prism.data.order import Place, Source, Walk
from prism.data.pack import IGNORE, RowBatch, count_bytes, encode
from prism.data.tokens import Tokenizer

TOKENS = 2**18
PADDING = -1  # document number
Encoded = tuple[str, Tensor, Tensor]  # name of the source, ids, targets


def held_out_batches(
    mix: Mix,
    tokenizer: Tokenizer,
    seq_len: int,
    *,
    rows: int,
    mine: Sequence[int] | None = None,
    tokens: int = TOKENS,
) -> list[RowBatch]:
    """The validation set, as batches to be read one after the other with the state carried.

    Args:
        seq_len: T.
        rows: of a batch, over all processes.
        mine: the rows of this process; None = all. The number of batches does not depend on it.
        tokens: about how many to take; a mix that holds out fewer gives those it has.

    Raises:
        ValueError: a source cannot be read, or holds out no document.
    """
    for name, value in (("seq_len", seq_len), ("rows", rows), ("tokens", tokens)):
        if value < 1:
            raise ValueError(f"{name} = {value}: must be >= 1")
    documents: list[list[Encoded]] = [[] for _ in range(rows)]
    sizes = [0] * rows
    total = sum(s.weight for s in mix.sources)
    for weighted in mix.sources:
        budget = tokens * weighted.weight / total
        for document in _documents(weighted.source, mix.held_out, tokenizer, budget):
            shortest = sizes.index(min(sizes))
            documents[shortest].append(document)
            sizes[shortest] += len(document[1])
    mine = range(rows) if mine is None else mine
    packed = [_pack(documents[i], -(-max(sizes) // seq_len) * seq_len, tokenizer.end) for i in mine]
    return [
        _batch([(row[:, at : at + seq_len], names) for row, names in packed], tokenizer)
        for at in range(0, max(sizes), seq_len)
    ]


def _documents(
    source: Source, share: float, tokenizer: Tokenizer, budget: float
) -> Iterator[Encoded]:
    """Held-out documents of one epoch in stored order until ``budget`` tokens are reached."""
    walk, place, taken, seen = Walk(source, seed=None), Place(), 0, 0
    while taken < budget and (place := walk.find(place)).epoch == 0:
        document = walk.read(place)
        seen += 1
        if held_out(document, share):
            ids, targets = encode(document, tokenizer)
            if len(ids) > 0:
                taken += len(ids)
                yield source.name, ids, targets
        place = place._replace(index=place.index + 1)
    if taken == 0:
        raise ValueError(
            f"source {source.name}: none of its {seen:,} documents is held out for validation at "
            f"held_out = {share:g}; must have more documents (text has one in every 16 KiB, or one "
            "after every line <|endoftext|>), or be in a mix:FILE.json with a larger held_out"
        )


def _pack(documents: list[Encoded], length: int, padding: int) -> tuple[Tensor, list[str]]:
    """Tokens, targets and document numbers, ``[3, length]``, and the sources."""
    rows = torch.full((3, length), IGNORE)
    rows[0], rows[2] = padding, PADDING
    at = 0
    for number, (_, ids, targets) in enumerate(documents):
        here = slice(at, at + len(ids))
        rows[0, here], rows[1, here], rows[2, here] = ids, targets, number
        at += len(ids)
    return rows, list(dict.fromkeys(name for name, _, _ in documents))


def _batch(rows: list[tuple[Tensor, list[str]]], tokenizer: Tokenizer) -> RowBatch:
    tokens, targets, segments = torch.stack([row for row, _ in rows]).unbind(dim=1)
    names = [", ".join(names) for _, names in rows]
    bytes = count_bytes(targets, tokenizer.byte_lengths)
    return RowBatch(tokens.contiguous(), targets.contiguous(), segments.contiguous(), names, bytes)
