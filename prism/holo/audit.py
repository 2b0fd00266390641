"""Capacity and audit of a tape: how full it is, and whether it is still the sum that its ledger
lists."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from prism.holo.algebra.accumulator import Accumulator
from prism.holo.algebra.codes import amplitude_of, bank_of
from prism.holo.capacity.evolution import joint_facts_at
from prism.holo.capacity.planning import predicted_accuracy
from prism.holo.capacity.theory import facts_at
from prism.holo.parts import TapeParts
from prism.holo.reader import Reader

SAMPLE = 20_000  # facts that an audit reads unless a sample is given


@dataclass(frozen=True)
class Capacity:
    """Fill level of a tape.

    Attributes:
        facts: bindings that it holds; a sequence is one per position.
        limit: bindings that it would hold at ``level``.
        level: the accuracy asked about.
        predicted: accuracy now, by theory; under AMP the share of banks decoded whole.
        loads: bindings per bank int64 [B]; None without a ledger, which counts them.
        peak: greatest magnitude in the accumulator, and ``room``, what its type allows.
        accumulator_bytes, ledger_bytes, codebook_bytes: of each part; ``resolver_bytes`` is the
            text of the keys.
    """

    facts: int
    limit: int
    level: float
    predicted: float
    loads: np.ndarray | None
    peak: int
    room: int
    accumulator_bytes: int
    ledger_bytes: int
    codebook_bytes: int
    resolver_bytes: int

    @property
    def left(self) -> int:
        """Bindings that still fit."""
        return max(0, self.limit - self.facts)


@dataclass(frozen=True)
class Audit:
    """All bindings (or a sample) read again, and the accumulator against the ledger.

    Attributes:
        read: bindings read.
        right: bindings whose best value is the listed one.
        answered: bindings answered right at the tape's alpha.
        predicted: accuracy that theory predicts for ``right``.
        consistent: the accumulator is, number by number, the sum of what the ledger lists; None if
            it also holds vectors.
    """

    read: int
    right: int
    answered: int
    predicted: float
    consistent: bool | None

    @property
    def by_ledger(self) -> int:
        """Bindings that the accumulator misses, which recall answers from the ledger."""
        return self.read - self.right

    @property
    def accuracy(self) -> float:
        """``right / read``; 1 for an empty tape."""
        return self.right / self.read if self.read else 1.0


def capacity_of(tape: TapeParts, level: float = 0.99, alpha: float = 1.0) -> Capacity:
    """The capacity of a tape; see :meth:`prism.holo.tape.HoloTape.capacity`."""
    c, held = tape.config, tape.bindings
    size = max(2, len(tape.vocabulary))
    if c.decoder == "filter":
        limit = facts_at(level, c.dim, size, c.banks, alpha)
    else:
        limit = joint_facts_at(level, c.dim, size, c.banks, c.layers)
    loads = None
    if tape.ledger is not None:
        keys = tape.ledger.column("key")[tape.ledger.live_rows()]
        loads = np.bincount(bank_of(keys, c.banks), minlength=c.banks)
    return Capacity(
        facts=held,
        limit=limit,
        level=level,
        predicted=predicted_accuracy(
            c.dim, max(1, held), size, c.banks, alpha, c.decoder, c.layers
        ),
        loads=loads,
        peak=max(abs(int(n)) for n in torch.aminmax(tape.accumulator.numbers.detach())),
        room=tape.accumulator.limit,
        accumulator_bytes=tape.accumulator.nbytes,
        ledger_bytes=0 if tape.ledger is None else tape.ledger.nbytes,
        codebook_bytes=tape.vocabulary.codes.nbytes,
        resolver_bytes=0 if tape.resolver is None else tape.resolver.nbytes,
    )


def audit(tape: TapeParts, sample: int = SAMPLE) -> Audit:
    """Read up to ``sample`` listed bindings again, and rebuild the accumulator from the ledger.

    Raises:
        ValueError: the tape has no ledger.
    """
    ledger = tape.listed("audit")
    rows = ledger.live_rows()
    hashes, ids = ledger.column("key")[rows], ledger.column("value")[rows]
    some = np.arange(len(rows))
    if sample < len(rows):
        some = np.random.default_rng(0).choice(len(rows), sample, replace=False)
    readout = Reader(tape).read(hashes[some])
    right = readout.ids == ids[some]
    consistent = None
    if tape.unlisted == 0:
        c, numbers = tape.config, tape.accumulator.numbers
        rebuilt = Accumulator(c.banks, c.dim, c.dtype, numbers.device)
        rebuilt.bind(hashes, ids, tape.vocabulary.codes, amplitude_of(hashes, c.layers))
        consistent = bool(torch.equal(rebuilt.numbers, numbers))
    return Audit(
        read=len(some),
        right=int(right.sum()),
        answered=int((right & readout.accepted).sum()),
        predicted=capacity_of(tape).predicted,
        consistent=consistent,
    )
