"""HoloTape: facts bound from Python, recalled with calibrated confidence, no training.

    bind     H[b(k)] += a k * v              forget   H[b(k)] -= a k * v
    recall   argmax_v <k * H[b(k)], v>       or "unknown" below the threshold

The accumulator (:mod:`prism.holo.algebra.accumulator`) holds the facts in superposition. The ledger
beside it lists which value belongs to which key hash, so that forgetting, updating and merging are
exact. A resolver of misspelt keys, if wanted, stands in front. A dict is smaller for exact keys;
what the superposition buys is a state of fixed size that can be added, subtracted, read in one
product and differentiated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from prism.holo import audit, file, merge
from prism.holo.algebra.codes import Key, sign_codes, signs
from prism.holo.capacity.planning import plan
from prism.holo.parts import HoloConfig, TapeParts
from prism.holo.reader import Reader
from prism.holo.recall import Readout, Recall
from prism.holo.store import Fact
from prism.holo.vocabulary import Bindings, Item, as_tuple, to_bindings

ON_CONFLICT = ("error", "keep", "replace")


class HoloTape:
    """A tape of facts, a :class:`~prism.holo.store.FactStore`.

    ``HoloTape(dim=8192)`` is one float bank, which also takes vectors; :meth:`plan` chooses banks
    and an integer type for a given number of facts.

    Args:
        dim, banks, config: the accumulator's shape and how it is read, the fields of
            :class:`~prism.holo.parts.HoloConfig`.
        values: what can be answered: None (open), a number M, a list, or a tensor [M, dim] of +-1.
        device: of the accumulator.
    """

    def __init__(
        self,
        dim: int = 8192,
        banks: int = 1,
        *,
        values: int | Sequence[Item] | Tensor | None = None,
        device: str | torch.device = "cpu",
        **config: Any,
    ) -> None:
        if "dtype" not in config:
            config["dtype"] = "float32" if banks == 1 else "int16"
        self._hold(TapeParts.empty(HoloConfig(dim=dim, banks=banks, **config), values, device))

    def _hold(self, parts: TapeParts) -> None:
        self._parts, self._reader = parts, Reader(parts)
        self.config, self.accumulator, self.joint = parts.config, parts.accumulator, parts.joint
        self.vocabulary, self.ledger, self.resolver = parts.vocabulary, parts.ledger, parts.resolver

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
            candidates: values to choose from; None = as many as ``values`` has, and without
                ``values`` as many as ``facts`` (every fact may have its own). The texts of the
                keys are then kept too (``resolver=True``), as a language model needs them.
            accuracy: share of facts answered right at ``alpha``; refusals are misses.
            alpha: false-accept rate; 1 = the best value is always answered.
            decoder, layers, dim: see :func:`prism.holo.capacity.planning.plan`.
            config: further arguments of the constructor (``values``, ``seed``, ``resolver``...).
        """
        if candidates is None:
            values = config.get("values")
            if values is None:
                values = 2 if facts == 1 else facts
                config = {"resolver": config.get("ledger", True)} | config
            candidates = values if isinstance(values, int) else len(values)
        p = plan(facts, candidates, accuracy, alpha, decoder, layers, dim)
        shape = {"dtype": p.dtype, "decoder": decoder, "layers": layers, "alpha": alpha}
        return cls(p.dim, p.banks, **(shape | config))

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = "cpu") -> Self:
        """The tape that :meth:`save` wrote; see :func:`prism.holo.file.load`."""
        tape = cls.__new__(cls)
        tape._hold(file.load(Path(path), device))
        return tape

    def save(self, path: str | Path) -> None:
        """Write the tape as one safetensors file, replacing ``path`` at once or not at all."""
        file.save(self._parts, Path(path))

    @property
    def revision(self) -> int:
        """Grows at every change of the accumulator; a view compares it."""
        return self._parts.revision

    @property
    def count(self) -> int:
        """Facts that the accumulator holds."""
        if self.ledger is None:
            return self._parts.unlisted
        live = self.ledger.live_rows()
        return self._parts.unlisted + int((self.ledger.column("position")[live] == 0).sum())

    def __len__(self) -> int:
        return self.count

    def __contains__(self, key: Key) -> bool:
        """True if the ledger lists the key; raises ValueError without a ledger."""
        return bool(self._parts.listed("in").find(self.hash([key]))[0] >= 0)

    def __repr__(self) -> str:
        c = self.config
        ledger = f", ledger {self.ledger.nbytes:,} bytes" if self.ledger is not None else ""
        return (
            f"HoloTape({c.banks:,} x {c.dim} {c.dtype} = {self.nbytes:,} bytes{ledger}, "
            f"{self.count:,} facts, {len(self.vocabulary):,} values)"
        )

    @property
    def nbytes(self) -> int:
        """Bytes of the accumulator alone."""
        return self.accumulator.nbytes

    @property
    def fingerprint(self) -> str:
        """Text that agrees for two tapes whose accumulators may be added."""
        return self._parts.fingerprint

    def hash(self, keys: Iterable[Key] | np.ndarray | Tensor) -> np.ndarray:
        """Hashes uint64 [N] of keys under this tape's seed."""
        return self._parts.hash(keys)

    def bind(
        self, key: Key | Tensor, value: Any, source: str | None = None, time: float | None = None
    ) -> None:
        """Bind one fact; see :meth:`bind_many`. On a float tape key and value may be vectors."""
        if isinstance(key, Tensor) or isinstance(value, Tensor):
            self._bind_vectors(key, value, 1)
        else:
            self.bind_many([key], [value], source, time)

    def bind_many(
        self,
        keys: Sequence[Key] | np.ndarray | Tensor,
        values: Sequence[Any] | np.ndarray | Tensor,
        source: str | Sequence[str | None] | None = None,
        time: float | None = None,
        on_conflict: str = "error",
    ) -> int:
        """Bind N facts, all or none. A fact that is bound already changes nothing (without a
        ledger it counts twice).

        Args:
            source: where they come from, one name or one per fact.
            time: seconds since 1970; None = now.
            on_conflict: a key that is bound to another value is an ``"error"``, ``"keep"`` (the
                old value stays) or ``"replace"``. Within the batch it is always an error.

        Returns:
            The number of facts written.

        Raises:
            ValueError: another number of values, a value that is not of the vocabulary, or a
                conflict.
            TypeError: a key or value of a type that cannot be one.
            OverflowError: the accumulator is too narrow; nothing is written.
        """
        if on_conflict not in ON_CONFLICT:
            raise ValueError(f"on_conflict = {on_conflict!r}: must be one of {ON_CONFLICT}")
        if isinstance(keys, Iterator) or not hasattr(keys, "__len__"):
            keys = list(keys)
        hashes = self.hash(keys)
        size = len(self.vocabulary)
        bindings = to_bindings(self.vocabulary, hashes, values, grow=True)
        try:
            new, replaced = self._changes(keys, values, hashes, bindings, on_conflict)
            sources = self._parts.source_ids(source, len(hashes))
            self._parts.write(bindings.of(new), replaced, sources, time)
        except Exception:
            self.vocabulary.shrink(size)
            raise
        if self.resolver is not None:
            self.resolver.add(keys, hashes)
        return int(new.sum())

    def _changes(
        self, keys: Any, values: Any, hashes: np.ndarray, bindings: Bindings, on_conflict: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Facts bool [F] to be written, and the roots int64 of rows they replace."""
        if self.ledger is None:
            return np.ones(len(hashes), bool), np.zeros(0, np.int64)
        _, first, again = np.unique(hashes, return_index=True, return_inverse=True)
        new = np.zeros(len(hashes), bool)
        new[first] = True
        for i in np.flatnonzero(~new):
            if as_tuple(values[i]) != as_tuple(values[first[again[i]]]):
                raise ValueError(f"key {keys[i]!r}: is given twice with different values")
        roots = self.ledger.find(hashes)
        new &= ~self._parts.same(bindings, roots)
        conflict = np.flatnonzero(new & (roots >= 0))
        if len(conflict) and on_conflict == "error":
            i = conflict[0]
            held = self.stored_value(roots[i])
            raise ValueError(f"key {keys[i]!r}: is bound to {held!r}; update it to change that")
        if on_conflict == "keep":
            new[conflict] = False
        return new, roots[new & (roots >= 0)]

    def update(
        self, key: Key, value: Any, source: str | None = None, time: float | None = None
    ) -> None:
        """Give a bound key another value; the old one stays in the ledger's history.

        Raises:
            KeyError: the key is not bound.
            ValueError: the tape has no ledger: forget(key, value) and bind instead.
        """
        if self._parts.listed("update").find(self.hash([key]))[0] < 0:
            raise KeyError(f"key {key!r}: is not bound; bind it first")
        self.bind_many([key], [value], source, time, on_conflict="replace")

    def forget(self, key: Key | Tensor, value: Any = None) -> None:
        """Take one fact out of the accumulator, exactly; see :meth:`forget_many`. Vectors have no
        row in the ledger, so taking a pair of them out needs both again."""
        if isinstance(key, Tensor) or isinstance(value, Tensor):
            self._bind_vectors(key, value, -1)
        else:
            self.forget_many([key], None if value is None else [value])

    def forget_many(
        self, keys: Sequence[Key] | np.ndarray, values: Sequence[Any] | np.ndarray | None = None
    ) -> None:
        """Take N facts out, all or none: an integer accumulator is restored bit for bit to one
        that was never given them.

        Args:
            values: only, and always, for a tape without a ledger, which cannot know them.

        Raises:
            KeyError: a key that is not bound.
            ValueError: ``values`` missing or not wanted, or a key given twice.
        """
        hashes = self.hash(keys)
        if self.ledger is None:
            if values is None:
                raise ValueError("forget: a tape without a ledger needs the value as well")
            bindings = to_bindings(self.vocabulary, hashes, values, grow=False)
            self._parts.forget_unlisted(bindings, len(hashes))
            return
        if values is not None:
            raise ValueError("forget: a tape with a ledger knows the value; give the key alone")
        if len(np.unique(hashes)) != len(hashes):
            raise ValueError("forget: a key is given twice")
        rows = self.ledger.find(hashes)
        if len(rows) and rows.min() < 0:
            raise KeyError(f"key {keys[int(rows.argmin())]!r}: is not bound")
        self._parts.forget_rows(rows)

    def recall(self, key: Key | Tensor, alpha: float | None = None, **how: Any) -> Recall:
        """Ask for one key; see :meth:`recall_many`."""
        if isinstance(key, Tensor) and key.ndim == 1:
            return self.recall_many(key[None], alpha, **how)[0]
        return self.recall_many([key], alpha, **how)[0]

    def recall_many(
        self,
        keys: Sequence[Key] | np.ndarray | Tensor,
        alpha: float | None = None,
        decoder: str | None = None,
        resolve: bool = True,
    ) -> list[Recall]:
        """Ask for N keys.

        Args:
            keys: N keys; on a tape of one bank also key vectors float [N, D] of signs.
            alpha: rate at which unknown keys are answered; None = the tape's where the accumulator
                decides alone, 1 = nothing is refused.
            decoder: ``"filter"`` (the accumulator alone), ``"sic"`` or ``"amp"`` (all facts of a
                bank jointly, from the ledger's key list). None = the tape's decoder for listed
                keys, and "unknown" for others.
            resolve: let the resolver, if there is one, map an unlisted text key to a listed one.

        Raises:
            ValueError: ``alpha`` outside (0, 1], an unknown decoder, or one without its ledger.
        """
        return self._reader.recall(keys, alpha, decoder, resolve)

    def read(
        self,
        hashes: np.ndarray,
        alpha: float | None = None,
        decoder: str | None = None,
        known: float = 0.5,
    ) -> Readout:
        """The readout of key hashes uint64 [N], as arrays; ``decoder`` as in
        :meth:`recall_many`, ``known`` the prior probability that a key is stored."""
        return self._reader.read(hashes, alpha, decoder, known)

    def facts(self) -> Iterator[Fact]:
        """All live facts of the ledger, in the order they were bound."""
        ledger = self._parts.listed("facts")
        live = ledger.live_rows()
        for row in live[ledger.column("position")[live] == 0]:
            yield self._parts.fact(row)

    def history(self, key: Key) -> list[Fact]:
        """All that was ever bound under a key, oldest first."""
        ledger = self._parts.listed("history")
        return [self._parts.fact(row) for row in ledger.history(self.hash([key])[0])]

    def stored_value(self, row: int) -> Any:
        """The value that the ledger lists for the fact at a root row."""
        return self._parts.value(row)

    def capacity(self, level: float = 0.99, alpha: float = 1.0) -> audit.Capacity:
        """The fill level and the number of facts that fit at accuracy ``level``, counted at
        ``alpha`` (1: the best value, whether or not it would be answered)."""
        return audit.capacity_of(self._parts, level, alpha)

    def audit(self, sample: int = audit.SAMPLE) -> audit.Audit:
        """Read the listed facts again; see :func:`prism.holo.audit.audit`."""
        return audit.audit(self._parts, sample)

    def merge(self, other: HoloTape, on_conflict: str = "error") -> merge.MergeReport:
        """Add all facts of ``other``; see :func:`prism.holo.merge.merge`."""
        return merge.merge(self._parts, other._parts, on_conflict)

    def erase_history(self) -> int:
        """Drop what the ledger remembers of facts that are gone; the rows that were dropped. See
        :func:`prism.holo.merge.erase_history`."""
        return merge.erase_history(self._parts)

    @property
    def H(self) -> Tensor:
        """The accumulator's numbers: [D] where there is one bank, else [B, D]."""
        numbers = self.accumulator.numbers
        return numbers[0] if self.config.banks == 1 else numbers

    def unbind(self, query: Tensor) -> Tensor:
        """``query * H``, [D] or [N, D]; see :meth:`Accumulator.unbind`."""
        return self.accumulator.unbind(query)

    def key_vectors(self, keys: Any) -> Tensor:
        """Codes float [N, D] of N keys, to be mixed with vectors of one's own."""
        kind = self.H.dtype if self.H.dtype.is_floating_point else torch.float32
        return sign_codes(self.hash(keys), self.config.dim).to(self.H.device, kind)

    def _bind_vectors(self, key: Any, value: Any, sign: int) -> None:
        """Bind a pair of which at least one is a vector, the other a key or value by name."""
        size = len(self.vocabulary)
        if not isinstance(key, Tensor):
            key = self.key_vectors([key])[0]
        try:
            if not isinstance(value, Tensor):
                words = self.vocabulary.codes.words(self.vocabulary.ids([value], grow=True))
                value = signs(words, self.config.dim)[0].to(key)
            self._parts.unlisted += sign * self.accumulator.bind_vectors(key, value, sign)
        except ValueError:
            self.vocabulary.shrink(size)
            raise
        self._parts.changed(np.zeros(1, np.int64))
