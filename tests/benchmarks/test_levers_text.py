"""The batches that all arms read: the same rows, shuffled once."""

from __future__ import annotations

import torch

from benchmarks.levers.text import shuffled
from tests.benchmarks.levers_fakes import batch


def rows_of(batches) -> list[tuple]:
    """Every row with all that belongs to it."""
    return sorted(
        (tuple(t.tolist()), tuple(y.tolist()), tuple(s.tolist()), source, int(count))
        for b in batches
        for t, y, s, source, count in zip(
            b.tokens, b.targets, b.segment_ids, b.sources, b.bytes, strict=True
        )
    )


def test_every_row_is_there_once_and_whole():
    batches = [batch(i) for i in range(6)]
    other = shuffled(batches, seed=3)
    assert rows_of(other) == rows_of(batches)
    assert [b.tokens.shape for b in other] == [b.tokens.shape for b in batches]


def test_the_order_is_another_and_the_seed_decides_it():
    batches = [batch(i) for i in range(6)]
    orders = {
        seed: torch.cat([b.tokens for b in shuffled(batches, seed)]).flatten().tolist()
        for seed in (1, 2)
    }
    assert orders[1] != orders[2] != torch.cat([b.tokens for b in batches]).flatten().tolist()
    again = torch.cat([b.tokens for b in shuffled(batches, 1)]).flatten().tolist()
    assert orders[1] == again
