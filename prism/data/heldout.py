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

from prism.data.document import IGNORE, RowBatch, count_bytes, encode, held_out
from prism.data.mix import Mix
from prism.data.order import Source, stored
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
        for document in _documents(weighted.source, mix, tokenizer, budget):
            shortest = sizes.index(min(sizes))
            documents[shortest].append(document)
            sizes[shortest] += len(document[1])
    mine = range(rows) if mine is None else mine
    length = -(-max(sizes) // seq_len) * seq_len
    packed = torch.stack([_pack(documents[i], length, tokenizer.end) for i in mine])
    names = [", ".join(dict.fromkeys(name for name, _, _ in documents[i])) for i in mine]
    batches = []
    for part in packed.split(seq_len, dim=2):
        ids, targets, numbers = (x.contiguous() for x in part.unbind(dim=1))
        size = count_bytes(targets, tokenizer.byte_lengths)
        batches.append(RowBatch(ids, targets, numbers, list(names), size))
    return batches


def _documents(source: Source, mix: Mix, tokenizer: Tokenizer, budget: float) -> Iterator[Encoded]:
    """Held-out documents of one epoch in stored order until ``budget`` tokens are reached."""
    taken = seen = 0
    for document in stored(source):
        seen += 1
        if held_out(document, mix.shares[source.name]):
            ids, targets = encode(document, tokenizer)
            if len(ids) > 0:
                taken += len(ids)
                yield source.name, ids, targets
                if taken >= budget:
                    break
    if taken == 0 and seen == 1:
        raise ValueError(
            f"source {source.name}: is a single document; must have two, one of them to validate "
            "on (a line <|endoftext|> divides a text)"
        )
    if taken == 0:
        raise ValueError(
            f"source {source.name}: none of its {seen:,} documents is held out for validation at "
            f"held_out = {mix.held_out:g}; must have more documents (text has one in every 16 KiB, "
            "or one after every line <|endoftext|>), or be in a mix:FILE.json with more held_out"
        )


def _pack(documents: list[Encoded], length: int, padding: int) -> Tensor:
    """Tokens, targets and document numbers, ``[3, length]``."""
    rows = torch.full((3, length), IGNORE)
    rows[0], rows[2] = padding, PADDING
    at = 0
    for number, (_, ids, targets) in enumerate(documents):
        here = slice(at, at + len(ids))
        rows[0, here], rows[1, here], rows[2, here] = ids, targets, number
        at += len(ids)
    return rows
