"""Text and model of the benchmark: one seeded stream of batches and one held-out set for all arms.

Bytes of real documents. A seed gives a sequence of batches; every arm of that seed reads the same
ones in the same order, as many as it needs, so that arms are paired. Rows are shuffled over
``WINDOW`` batches and start without a carried state. The held-out documents are the same for every
seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from prism import PrismConfig, TapeConfig
from prism.data import ByteTokenizer, Mix, RowBatch, RowStreams, held_out_batches, parse_mix
from prism.data.order import mix64

VOCABULARY = 257  # bytes and the end of a document
WINDOW = 1024  # batches
CONTEXT = 256.0  # longest half-life
Batches = Callable[[int], RowBatch]  # the batch of a step


@dataclass(frozen=True)
class TextShape:
    """Rows of a batch, tokens of a row, and about how many tokens are held out."""

    rows: int
    length: int
    held_out: int

    @property
    def tokens(self) -> int:
        """Of one batch."""
        return self.rows * self.length


class Text:
    """The documents of one mix.

    Args:
        mix: as ``prism.run_scale --data`` takes it.
        name: what the results call it; no path of the machine.

    Raises:
        ValueError: the mix cannot be read.
    """

    def __init__(self, mix: str | Mix, name: str) -> None:
        self.mix = parse_mix(mix) if isinstance(mix, str) else mix
        self.name = name

    def describe(self) -> dict[str, Any]:
        """``name`` and the ``fingerprints`` of the sources, wherever they lie, as JSON."""
        fingerprints = [s.source.fingerprint() for s in self.mix.sources]
        return {"name": self.name, "fingerprints": fingerprints}

    def batches(self, shape: TextShape, seed: int) -> Batches:
        """The stream of ``seed``; batches are kept, so that every arm can read them again.

        Rows are shuffled over ``WINDOW`` batches: a few long documents at a time would make the
        loss go up and down with what is being read.
        """
        streams = RowStreams(
            self.mix,
            ByteTokenizer(),
            streams=shape.rows,
            mine=range(shape.rows),
            seq_len=shape.length,
            seed=seed,
        )
        read: list[RowBatch] = []

        def batch(step: int) -> RowBatch:
            while len(read) <= step:
                window = [streams.next() for _ in range(WINDOW)]
                read.extend(shuffled(window, mix64(seed, len(read))))
            return read[step]

        return batch

    def held_out(self, shape: TextShape) -> list[RowBatch]:
        """The held-out documents, in rows of ``shape.length``."""
        return held_out_batches(
            self.mix, ByteTokenizer(), shape.length, rows=4 * shape.rows, tokens=shape.held_out
        )


def shuffled(batches: Sequence[RowBatch], seed: int) -> list[RowBatch]:
    """As many batches of the same rows in another order, drawn from ``seed``."""
    rows = len(batches[0].sources)
    generator = torch.Generator().manual_seed(seed % 2**63)
    order = torch.randperm(rows * len(batches), generator=generator)
    return taken(batches, order.split(rows))


def taken(batches: Sequence[RowBatch], places: Sequence[Tensor]) -> list[RowBatch]:
    """Batches of the rows at each of ``places [n]``, counted through all of ``batches``."""
    fields = ("tokens", "targets", "segment_ids", "bytes")
    whole = {name: torch.cat([getattr(b, name) for b in batches]) for name in fields}
    sources = [source for b in batches for source in b.sources]
    return [
        RowBatch(
            sources=[sources[i] for i in mine.tolist()],
            **{name: values[mine] for name, values in whole.items()},
        )
        for mine in places
    ]


def config(d_model: int, num_layers: int) -> dict[str, object]:
    """A PRISM for text, as JSON: two kinds, since prose needs no exact counting."""
    return PrismConfig(
        vocab_size=VOCABULARY,
        d_model=d_model,
        num_layers=num_layers,
        half_life_max=CONTEXT,
        tape=TapeConfig(content_heads=1, position_heads=1, num_slots=16, d_mem=16),
        expert_kinds=("neural", "memory"),
    ).to_dict()
