"""The held-out documents, packed for validation.

The same tokens in the same rows at every call, on any number of processes: the first held-out
documents of every source in the order in which it stores them, cut where the source has its share
of a number of tokens. One after the other they are one text of N tokens, which is folded into R
rows of ceil(N / R): a validation costs N tokens (the end of the last row is padding), however long
a document is. A document that goes on in the next row is read there without what came before; at
most R - 1 are. There are as many rows as the batch has, or fewer if each would be below T tokens.

    bits/byte = (sum over targets of -log2 p) / (sum of RowBatch.bytes)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from prism.data.document import IGNORE, RowBatch, count_bytes, encode, held_out, number_of
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
        seq_len: T, tokens of a row of a batch; the last batch has what is left of the rows.
        rows: of a batch at most, over all processes.
        mine: the rows of this process, each of the same number of them; None = all. A process has
            the first of them that hold text; where others have one more, its last row is padding.
        tokens: how many to take; a mix that holds out fewer gives those it has.

    Raises:
        ValueError: a source cannot be read, or holds out no document.
    """
    for name, value in (("seq_len", seq_len), ("rows", rows), ("tokens", tokens)):
        if value < 1:
            raise ValueError(f"{name} = {value}: must be >= 1")
    pieces = held_out_documents(mix, tokenizer, tokens)
    total = sum(len(ids) for _, ids, _ in pieces)
    used = min(rows, max(1, total // seq_len))
    length = -(-total // used)
    mine = range(rows) if mine is None else mine
    each = -(-used * len(mine) // rows)  # rows of every process
    packed, names = _fold(pieces, length, rows, tokenizer.end)
    here = list(mine)[:each]
    batches = []
    for part in packed[:, here].split(seq_len, dim=2):
        ids, targets, numbers = (x.contiguous() for x in part)
        size = count_bytes(targets, tokenizer.byte_lengths)
        batches.append(RowBatch(ids, targets, numbers, [names[i] for i in here], size))
    return batches


def held_out_documents(mix: Mix, tokenizer: Tokenizer, tokens: int = TOKENS) -> list[Encoded]:
    """The documents of the validation set one by one: name of the source, ids ``[n]``, targets
    ``[n]``. The last document of every source is cut where the source has its share of ``tokens``.

    Raises:
        ValueError: a source cannot be read, or holds out no document.
    """
    pieces: list[Encoded] = []
    for weighted, budget in zip(mix.sources, _budgets(mix, tokens), strict=True):
        pieces += _documents(weighted.source, mix, tokenizer, budget)
    return pieces


def _budgets(mix: Mix, tokens: int) -> list[int]:
    """Tokens of every source, by weight; their sum is ``tokens``, and each has at least one."""
    total = sum(s.weight for s in mix.sources)
    ends, reached = [0], 0.0
    for weighted in mix.sources:
        reached += weighted.weight
        ends.append(round(tokens * reached / total))
    return [max(1, b - a) for a, b in pairwise(ends)]


def _documents(source: Source, mix: Mix, tokenizer: Tokenizer, budget: int) -> Iterator[Encoded]:
    """Held-out documents of one epoch in stored order, ``budget`` tokens; the last one is cut."""
    taken = seen = 0
    texts: set[int] = set()
    for document in stored(source):
        seen += 1
        if len(texts) < 2:
            texts.add(number_of(document))
        if held_out(document, mix.shares[source.name]):
            ids, targets = encode(document, tokenizer)
            if len(ids) > 0:
                ids, targets = ids[: budget - taken], targets[: budget - taken]
                taken += len(ids)
                yield source.name, ids, targets
                if taken >= budget:
                    break
    if taken == 0 and len(texts) == 1:
        which = "a single document" if seen == 1 else f"{seen:,} times the same document"
        raise ValueError(
            f"source {source.name}: is {which}; must have two that differ, one of them to validate "
            "on (a line <|endoftext|> divides a text)"
        )
    if taken == 0:
        raise ValueError(
            f"source {source.name}: none of its {seen:,} documents is held out for validation at "
            f"held_out = {mix.held_out:g}; must have more documents (text has one in every 16 KiB, "
            "or one after every line <|endoftext|>), or be in a mix:FILE.json with more held_out"
        )


def _fold(
    pieces: Sequence[Encoded], length: int, rows: int, padding: int
) -> tuple[Tensor, list[str]]:
    """Tokens, targets and document numbers of the rows, ``[3, rows, length]``; and the names of
    the sources of each row."""
    text = torch.full((3, rows * length), IGNORE)
    text[0], text[2] = padding, PADDING
    names: list[list[str]] = [[] for _ in range(rows)]
    at = 0
    for number, (name, ids, targets) in enumerate(pieces):
        here = slice(at, at + len(ids))
        text[0, here], text[1, here], text[2, here] = ids, targets, number
        at += len(ids)
        for row in range(here.start // length, -(-at // length)):
            names[row].append(name)
    return text.view(3, rows, length), [", ".join(dict.fromkeys(x)) for x in names]
