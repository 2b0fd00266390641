"""What keeps a tape in order: planning, capacity, audit, merging, erasing, files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch

from prism.holo import erasure, file, merge
from prism.holo.algebra.accumulator import Accumulator
from prism.holo.algebra.amplitudes import amplitude_of
from prism.holo.algebra.codes import bank_of, code_words
from prism.holo.capacity.evolution import joint_accuracy, joint_facts_at
from prism.holo.capacity.planning import plan
from prism.holo.capacity.theory import banked_accuracy, facts_at

if TYPE_CHECKING:
    from prism.holo.tape import HoloTape

SAMPLE = 20_000  # facts that an audit reads unless told otherwise


@dataclass(frozen=True)
class Capacity:
    """How full a tape is.

    Attributes:
        facts: items that it holds.
        limit: items that it would hold at ``level``.
        level: the accuracy asked about.
        predicted: accuracy now, by theory; under AMP the share of banks decoded whole.
        loads: facts per bank int64 [B]; None without a ledger, which counts them.
        peak: greatest magnitude in the accumulator, and ``room``, what its type allows.
        accumulator_bytes, ledger_bytes, codebook_bytes: what each part takes; ``resolver_bytes`` is
            the text of the keys.
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
        """Items that still fit."""
        return max(0, self.limit - self.facts)


@dataclass(frozen=True)
class Audit:
    """All facts (or a sample) read again, and the accumulator against the ledger.

    Attributes:
        read: items read.
        right: items whose best value is the listed one.
        answered: items answered right at the tape's alpha.
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
    def accuracy(self) -> float:
        """``right / read``; 1 for an empty tape."""
        return self.right / self.read if self.read else 1.0


class Upkeep:
    """Mixed into :class:`prism.holo.tape.HoloTape`."""

    @classmethod
    def plan(
        cls,
        facts: int,
        candidates: int | None = None,
        accuracy: float = 0.99,
        alpha: float = 0.01,
        *,
        decoder: str = "filter",
        layers: int = 1,
        dim: int | None = None,
        **config: Any,
    ) -> Self:
        """An empty tape for ``facts`` with ``candidates`` values; ``print(tape)`` says its size.

        Args:
            candidates: values to choose from; None = as many as ``values`` has.
            accuracy: share of facts answered right at ``alpha``; refusals are misses.
            alpha: false-accept rate; 1 = the best value is always answered.
            decoder, layers, dim: see :func:`prism.holo.capacity.planning.plan`.
            config: further arguments of the constructor (``values``, ``seed``, ``resolver``...).
        """
        if candidates is None:
            candidates = _size_of(config.get("values"))
        p = plan(facts, candidates, accuracy, alpha, decoder, layers, dim)
        shape = {"dtype": p.dtype, "decoder": decoder, "layers": layers, "alpha": alpha}
        return cls(p.dim, p.banks, **(shape | config))

    @property
    def fingerprint(self: HoloTape) -> str:
        """What must agree for two tapes to share an accumulator."""
        c = self.config
        return json.dumps([c.dim, c.banks, c.layers, c.seed, self.vocabulary.fingerprint])

    @property
    def nbytes(self: HoloTape) -> int:
        """Bytes of the accumulator alone."""
        return self.accumulator.nbytes

    def __repr__(self: HoloTape) -> str:
        c = self.config
        ledger = f", ledger {self.ledger.nbytes:,} bytes" if self.ledger is not None else ""
        return (
            f"HoloTape({c.banks:,} x {c.dim} {c.dtype} = {self.nbytes:,} bytes{ledger}, "
            f"{self.count:,} facts, {len(self.vocabulary):,} values)"
        )

    def capacity(self: HoloTape, level: float = 0.99, alpha: float = 1.0) -> Capacity:
        """How full the tape is; ``level`` is the accuracy asked about, counted at ``alpha``
        (1: the best value, whether or not it would be answered)."""
        c, items = self.config, self._items_held()
        size = max(2, len(self.vocabulary))
        if c.decoder == "filter":
            limit = facts_at(level, c.dim, size, c.banks, alpha)
            predicted = banked_accuracy(c.dim, max(1, items), size, c.banks, alpha)
        else:
            limit = joint_facts_at(level, c.dim, size, c.banks, c.layers)
            predicted = joint_accuracy(c.dim, max(1, items), size, c.banks, c.layers)
        loads = None
        if self.ledger is not None:
            keys = self.ledger.column("key")[self.ledger.live_rows()]
            loads = np.bincount(bank_of(keys, c.banks), minlength=c.banks)
        return Capacity(
            facts=items,
            limit=limit,
            level=level,
            predicted=predicted,
            loads=loads,
            peak=int(self.accumulator.numbers.detach().abs().max()),
            room=self.accumulator.limit,
            accumulator_bytes=self.nbytes,
            ledger_bytes=0 if self.ledger is None else self.ledger.nbytes,
            codebook_bytes=self.vocabulary.codes.nbytes,
            resolver_bytes=0 if self.resolver is None else self.resolver.nbytes,
        )

    def audit(self: HoloTape, sample: int = SAMPLE) -> Audit:
        """Read up to ``sample`` listed items again, and rebuild the accumulator from the ledger.

        Raises:
            ValueError: the tape has no ledger.
        """
        ledger = self._listed("audit")
        rows = ledger.live_rows()
        hashes, ids = ledger.column("key")[rows], ledger.column("value")[rows]
        some = np.arange(len(rows))
        if sample < len(rows):
            some = np.random.default_rng(0).choice(len(rows), sample, replace=False)
        reading = self.read(hashes[some])
        right = reading.ids == ids[some]
        return Audit(
            read=len(some),
            right=int(right.sum()),
            answered=int((right & reading.accepted).sum()),
            predicted=self.capacity().predicted,
            consistent=None if self._unlisted else self._rebuilds(hashes, ids),
        )

    def merge(self: HoloTape, other: HoloTape, on_conflict: str = "error") -> merge.MergeReport:
        """Add all facts of ``other``; see :func:`prism.holo.merge.merge`."""
        return merge.merge(self, other, on_conflict)

    def erase_history(self: HoloTape) -> int:
        """Drop what the ledger remembers of facts that are gone; the rows that were dropped. See
        :func:`prism.holo.erasure.erase_history`."""
        return erasure.erase_history(self)

    def save(self: HoloTape, path: str | Path) -> None:
        """Write the tape as one safetensors file, replacing ``path`` at once or not at all."""
        file.save(self, Path(path))

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = "cpu") -> Self:
        """The tape that :meth:`save` wrote; see :func:`prism.holo.file.load`."""
        return file.load(cls, Path(path), device)

    def _items_held(self: HoloTape) -> int:
        listed = 0 if self.ledger is None else len(self.ledger.live_rows())
        return listed + self._unlisted

    def _rebuilds(self: HoloTape, hashes: np.ndarray, ids: np.ndarray) -> bool:
        c, codes = self.config, self.vocabulary.codes
        fresh = Accumulator(c.banks, c.dim, c.dtype, self.accumulator.numbers.device)
        fresh.add(
            bank_of(hashes, c.banks),
            lambda at: code_words(hashes[at], c.dim) ^ codes.words(ids[at]),
            amplitude_of(hashes, c.layers),
        )
        return bool(torch.equal(fresh.numbers, self.accumulator.numbers))


def _size_of(values: Any) -> int:
    if values is None:
        raise ValueError("plan candidates: must be given where values is not")
    return values if isinstance(values, int) else len(values)
