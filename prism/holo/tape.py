"""HoloTape: facts bound from Python, recalled with calibrated confidence, no training.

    bind     H[b(k)] += a k * v              forget   H[b(k)] -= a k * v
    recall   argmax_v <k * H[b(k)], v>       or "unknown" below the threshold

The accumulator (:mod:`prism.holo.algebra.accumulator`) holds the facts. The ledger beside it
remembers which value belongs to which key hash, so that forgetting, updating and merging are
exact. A fuzzy resolver, if wanted, stands in front. A dict is smaller for exact keys; what the
superposition buys is a state of fixed size that can be added, subtracted, read in one product and
differentiated.
"""

from __future__ import annotations

import time as clock
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from prism.holo.algebra.accumulator import Accumulator
from prism.holo.algebra.amplitudes import amplitude_of
from prism.holo.algebra.codes import Key, bank_of, code_words, hash_keys
from prism.holo.audit import Upkeep
from prism.holo.config import HoloConfig
from prism.holo.decode import JointDecoder
from prism.holo.items import Items, as_tuple, to_items
from prism.holo.keys.resolver import Resolver
from prism.holo.ledger import FORGOTTEN, Ledger
from prism.holo.reader import Answering
from prism.holo.vector_tape import VectorAlgebra
from prism.holo.vocabulary import Item, Vocabulary

ON_CONFLICT = ("error", "keep", "replace")


class HoloTape(VectorAlgebra, Answering, Upkeep):
    """A tape of facts.

    ``HoloTape(dim=8192)`` is one float bank, which also takes vectors; :meth:`plan` chooses banks
    and an integer type for a given number of facts.

    Args:
        config: the accumulator's shape; or its fields by name.
        values: what can be answered: None (open), a number M, a list, or a tensor [M, dim] of +-1.
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
        self.config = HoloConfig(dim=dim, banks=banks, **config)
        c = self.config
        self.accumulator = Accumulator(c.banks, c.dim, c.dtype, device)
        self.vocabulary = Vocabulary(c.dim, values, c.sequence, c.seed)
        self.resolver = Resolver() if c.resolver else None
        self.restore_ledger(Ledger() if c.ledger else None)
        self._unlisted = 0  # facts that no ledger row stands for
        self.revision = 0  # grows whenever the accumulator changes; a view compares it

    def restore_ledger(self, ledger: Ledger | None) -> None:
        """Take over the ledger that belongs to the accumulator, as a file does."""
        self.ledger = ledger
        self.joint: JointDecoder | None = None
        if ledger is not None:
            codes = self.vocabulary.codes
            self.joint = JointDecoder(self.accumulator, codes, ledger, self.config)

    @property
    def count(self) -> int:
        """Facts that the accumulator holds."""
        if self.ledger is None:
            return self._unlisted
        live = self.ledger.live_rows()
        return self._unlisted + int((self.ledger.column("position")[live] == 0).sum())

    def __len__(self) -> int:
        return self.count

    def __contains__(self, key: Key) -> bool:
        """Whether the ledger lists the key; raises ValueError without a ledger."""
        return bool(self._listed("in").find(self.hash([key]))[0] >= 0)

    def hash(self, keys: Iterable[Key] | np.ndarray | Tensor) -> np.ndarray:
        """Hashes uint64 [N] of keys under this tape's seed."""
        return hash_keys(keys, self.config.seed)

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
        size = len(self.vocabulary.codes)
        items = to_items(self.vocabulary, hashes, values, grow=True)
        try:
            new, old = self._changes(keys, values, hashes, items, on_conflict)
            self._write(items.of(new), old, self._source_ids(source, len(hashes)), time)
        except Exception:
            self.vocabulary.shrink(size)
            raise
        if self.resolver is not None:
            self.resolver.add(keys, hashes)
        return int(new.sum())

    def update(
        self, key: Key, value: Any, source: str | None = None, time: float | None = None
    ) -> None:
        """Give a bound key another value; the old one stays in the ledger's history.

        Raises:
            KeyError: the key is not bound.
            ValueError: the tape has no ledger: forget(key, value) and bind instead.
        """
        if self._listed("update").find(self.hash([key]))[0] < 0:
            raise KeyError(f"key {key!r}: is not bound; bind it first")
        self.bind_many([key], [value], source, time, on_conflict="replace")

    def forget(self, key: Key | Tensor, value: Any = None) -> None:
        """Take one fact out of the accumulator, exactly; see :meth:`forget_many`."""
        if isinstance(key, Tensor) or isinstance(value, Tensor):
            self._bind_vectors(key, value, -1)
        else:
            self.forget_many([key], None if value is None else [value])

    def forget_many(
        self, keys: Sequence[Key] | np.ndarray, values: Sequence[Any] | np.ndarray | None = None
    ) -> None:
        """Take N facts out, all or none. Integer accumulators become what never knew them.

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
            items = to_items(self.vocabulary, hashes, values, grow=False)
            self._add(items.hashes, items.ids, -np.ones(len(items.ids), np.int64))
            self._unlisted -= len(hashes)
            return
        if values is not None:
            raise ValueError("forget: a tape with a ledger knows the value; give the key alone")
        if len(np.unique(hashes)) != len(hashes):
            raise ValueError("forget: a key is given twice")
        rows = self.ledger.find(hashes)
        if len(rows) and rows.min() < 0:
            raise KeyError(f"key {keys[int(rows.argmin())]!r}: is not bound")
        rows = self.ledger.chain(rows)[0]
        column = self.ledger.column
        self._add(column("key")[rows], column("value")[rows], -np.ones(len(rows), np.int64))
        self.ledger.supersede(rows, FORGOTTEN)
        if self.resolver is not None:
            self.resolver.remove(hashes)

    def _changes(
        self, keys: Any, values: Any, hashes: np.ndarray, items: Items, on_conflict: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Which facts bool [F] are to be written, and the roots int64 of rows they replace."""
        if self.ledger is None:
            return np.ones(len(hashes), bool), np.zeros(0, np.int64)
        _, first, again = np.unique(hashes, return_index=True, return_inverse=True)
        new = np.zeros(len(hashes), bool)
        new[first] = True
        for i in np.flatnonzero(~new):
            if as_tuple(values[i]) != as_tuple(values[first[again[i]]]):
                raise ValueError(f"key {keys[i]!r}: is given twice with different values")
        roots = self.ledger.find(hashes)
        new &= ~self._same(items, roots)
        conflict = np.flatnonzero(new & (roots >= 0))
        if len(conflict) and on_conflict == "error":
            i = conflict[0]
            held = self.stored_value(roots[i])
            raise ValueError(f"key {keys[i]!r}: is bound to {held!r}; update it to change that")
        if on_conflict == "keep":
            new[conflict] = False
        return new, roots[new & (roots >= 0)]

    def _same(self, items: Items, roots: np.ndarray) -> np.ndarray:
        """Whether bool [F] the ledger holds each fact with just this value."""
        same = roots >= 0
        if same.any():
            rows = self.ledger.find(items.hashes)
            equal = (rows >= 0) & (self.ledger.column("value")[rows] == items.ids)
            same[items.fact[~equal]] = False
        return same

    def _write(self, items: Items, old: np.ndarray, source: np.ndarray, time: float | None) -> None:
        """Add items and take out the facts at the rows ``old``, which they replace, in one go."""
        ones = np.ones(len(items.ids), np.int64)
        if self.ledger is None:
            self._add(items.hashes, items.ids, ones)
            self._unlisted += int((items.position == 0).sum())
            return
        rows, owner = self.ledger.chain(old)
        column = self.ledger.column
        self._add(
            np.concatenate((column("key")[rows], items.hashes)),
            np.concatenate((column("value")[rows], items.ids)),
            np.concatenate((-np.ones(len(rows), np.int64), ones)),
        )
        replaced = column("key")[old][owner]
        now = clock.time() if time is None else time
        self.ledger.append(items.hashes, items.ids, items.position, source[items.fact], now)
        self.ledger.supersede(rows, self.ledger.latest(replaced))

    def _add(self, hashes: np.ndarray, ids: np.ndarray, sign: np.ndarray) -> None:
        """Add sign * amplitude * key * value of n items to the accumulator."""
        self.revision += len(hashes) > 0
        c, codes = self.config, self.vocabulary.codes

        def words(at: np.ndarray) -> np.ndarray:
            return code_words(hashes[at], c.dim) ^ codes.words(ids[at])

        amplitudes = sign * amplitude_of(hashes, c.layers)
        written = self.accumulator.add(bank_of(hashes, c.banks), words, amplitudes)
        if self.joint is not None:
            self.joint.invalidate(written)

    def _source_ids(self, source: Any, count: int) -> np.ndarray:
        if self.ledger is None:
            return np.zeros(count, np.int32)
        if source is None or isinstance(source, str):
            return np.full(count, self.ledger.source_id(source), np.int32)
        if not isinstance(source, Sequence):
            raise TypeError(f"source = {source!r}: must be text, or a list of texts")
        if len(source) != count:
            raise ValueError(f"{len(source)} sources for {count} keys: must be one or as many")
        return np.array([self.ledger.source_id(name) for name in source], np.int32)

    def _listed(self, what: str) -> Ledger:
        if self.ledger is None:
            raise ValueError(f"{what}: this tape has no ledger (ledger=False), so no list of keys")
        return self.ledger
