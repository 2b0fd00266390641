"""HoloTape: facts bound from Python, recalled with calibrated confidence, no training.

    bind     H[b(k)] += a k * v              forget   H[b(k)] -= a k * v
    recall   argmax_v <k * H[b(k)], v>       or "unknown" below the threshold

The accumulator (:mod:`prism.holo.algebra.accumulator`) holds the facts in superposition. The ledger
beside it lists which value belongs to which key hash, so that forgetting, updating, merging and
growing are exact. A resolver of misspelt keys, if wanted, stands in front. A dict is smaller for
exact keys; what the superposition buys is a state of fixed size that can be added, subtracted, read
in one product and differentiated.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import torch
from torch import Tensor

from prism.holo import audit, file, merge, writing
from prism.holo.algebra.accumulator import Accumulator
from prism.holo.algebra.codes import Key
from prism.holo.capacity.planning import plan
from prism.holo.decode import JointDecoder
from prism.holo.growth import let_grow
from prism.holo.parts import Growth, HoloConfig, TapeParts
from prism.holo.reader import Reader
from prism.holo.recall import Readout, Recall
from prism.holo.store import Fact
from prism.holo.vocabulary import Item
from prism.holo.writing import ON_CONFLICT

__all__ = ["ON_CONFLICT", "HoloTape"]


Method = TypeVar("Method", bound=Callable[..., Any])


def whole(method: Method) -> Method:
    """A method that other threads see as done or not begun."""

    @functools.wraps(method)
    def under_lock(tape: HoloTape, *args: Any, **kwargs: Any) -> Any:
        with tape._lock:
            return method(tape, *args, **kwargs)

    return under_lock  # type: ignore[return-value]


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
        config = {"dim": dim, "banks": banks} | config
        self._hold(TapeParts.empty(HoloConfig(**config), values, device))

    def _hold(self, parts: TapeParts, stamps: file.Stamps | None = None) -> Self:
        self._parts, self._reader, self._stamps = parts, Reader(parts), stamps or {}
        self.vocabulary, self.ledger, self.resolver = parts.vocabulary, parts.ledger, parts.resolver
        self._lock = threading.RLock()
        return self

    def __getstate__(self) -> dict[str, Any]:
        with self._lock:
            return {name: part for name, part in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._lock = threading.RLock()

    @property
    def config(self) -> HoloConfig:
        """Shape and defaults; another one once the tape has grown."""
        return self._parts.config

    @property
    def accumulator(self) -> Accumulator:
        """The sums; another one once the tape has grown."""
        return self._parts.accumulator

    @property
    def growths(self) -> list[Growth]:
        """Every growth since it was made or loaded."""
        return self._parts.growths

    @property
    def joint(self) -> JointDecoder | None:
        """The joint decoder of the listed facts; None without a ledger."""
        return self._parts.joint

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
        """An empty tape for ``facts`` with ``candidates`` values; ``print(tape)`` says its size. It
        grows by itself where they become more; of sequences each item counts.

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
        shape["accuracy"] = accuracy
        return cls(p.dim, p.banks, **(shape | config))

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = "cpu") -> Self:
        """The tape that :meth:`save` wrote; see :func:`prism.holo.file.load`."""
        tape, stamps = cls.__new__(cls), file.stamps_of(Path(path))
        return tape._hold(file.load(Path(path), device), stamps)

    @whole
    def save(self, path: str | Path) -> None:
        """Write the tape as one safetensors file, replacing ``path`` at once or not at all; see
        :func:`prism.holo.file.save`. A tape that was read from ``path`` or saved there before
        refuses to undo what another has written since: :meth:`edit` never has to."""
        self._stamps = file.save(self._parts, Path(path), self._stamps)

    @classmethod
    @contextmanager
    def edit(cls, path: str | Path, new: Callable[[], Self] | None = None) -> Iterator[Self]:
        """Change a saved tape while nobody else can: locked, read as it is now, given to the
        ``with`` block, saved at its end unless that raises. A second writer says that it waits.

        Args:
            new: makes the tape if there is no file yet; None: FileNotFoundError.
        """
        with file.locked(Path(path)):
            tape = new() if new is not None and not Path(path).exists() else cls.load(path)
            yield tape
            tape.save(path)

    @property
    def revision(self) -> int:
        """Grows at every change of the accumulator; a view compares it."""
        return self._parts.revision

    @property
    def count(self) -> int:
        """Facts that the accumulator holds."""
        return self._parts.facts

    def __len__(self) -> int:
        return self.count

    @whole
    def __contains__(self, key: Key) -> bool:
        """True if the ledger lists the key; raises ValueError without a ledger."""
        return bool(self._parts.listed("in").find(self.hash([key]))[0] >= 0)

    def __getitem__(self, key: Key) -> Any:
        """The value under a key, exactly as written; raises KeyError where it is unknown."""
        answer = self.recall(key, resolve=False)
        if answer.value is None:
            raise KeyError(f"key {key!r}: is not bound")
        return answer.value

    def __iter__(self) -> Iterator[Key]:
        return iter(self.keys())

    def keys(self) -> list[Key]:
        """All keys that are bound, in the order they were: the text where it is kept, else a
        :class:`~prism.holo.keys.normal.KeyHash`, which names the key as well as its text would."""
        return [fact.key for fact in self.facts()]

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

    @whole
    def hash(self, keys: Iterable[Key] | np.ndarray | Tensor) -> np.ndarray:
        """Hashes uint64 [N] under which this tape lists keys, or would; see
        :class:`prism.holo.keys.door.Door`."""
        return self._parts.hash(keys)

    def bind(
        self, key: Key | Tensor, value: Any, source: str | None = None, time: float | None = None
    ) -> None:
        """Bind one fact; see :meth:`bind_many`. On a float tape key and value may be vectors."""
        if isinstance(key, Tensor) or isinstance(value, Tensor):
            with self._lock:
                writing.bind_vectors(self._parts, key, value, 1)
        else:
            self.bind_many([key], [value], source, time)

    @whole
    def bind_many(
        self,
        keys: Iterable[Key] | np.ndarray | Tensor,
        values: Iterable[Any] | np.ndarray | Tensor,
        source: str | Iterable[str | None] | None = None,
        time: float | None = None,
        on_conflict: str = "error",
    ) -> int:
        """Bind N facts, all or none. A fact that is bound already changes nothing (without a
        ledger it counts twice). Where they would be too many for the tape it first grows.

        Args:
            keys, values: lists, sets, views, generators, tensors, numpy or pandas arrays.
            source: where they come from, one name or one per fact.
            time: seconds since 1970; None = now.
            on_conflict: a key that is bound to another value is an ``"error"``, ``"keep"`` (the
                old value stays) or ``"replace"``. Within the batch it is always an error.

        Returns:
            The number of facts written.

        Raises:
            ValueError: another number of values, a value that is not of the vocabulary, a
                conflict, or a tape that is too full and may not grow.
            TypeError: a key or value of a type that cannot be one.
            OverflowError: the accumulator is too narrow; nothing is written.
        """
        return writing.bind_many(self._parts, keys, values, source, time, on_conflict)

    @whole
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
            with self._lock:
                writing.bind_vectors(self._parts, key, value, -1)
        else:
            self.forget_many([key], None if value is None else [value])

    @whole
    def forget_many(
        self, keys: Iterable[Key] | np.ndarray, values: Iterable[Any] | np.ndarray | None = None
    ) -> None:
        """Take N facts out, all or none: an integer accumulator is restored bit for bit to one
        that was never given them.

        Args:
            values: only, and always, for a tape without a ledger, which cannot know them.

        Raises:
            KeyError: a key that is not bound.
            ValueError: ``values`` missing or not wanted, or a key given twice.
        """
        writing.forget_many(self._parts, keys, values)

    def recall(self, key: Key | Tensor, alpha: float | None = None, **how: Any) -> Recall:
        """Ask for one key; see :meth:`recall_many`."""
        if isinstance(key, Tensor) and key.ndim == 1:
            return self.recall_many(key[None], alpha, **how)[0]
        return self.recall_many([key], alpha, **how)[0]

    @whole
    def recall_many(
        self,
        keys: Iterable[Key] | np.ndarray | Tensor,
        alpha: float | None = None,
        decoder: str | None = None,
        resolve: bool = True,
        fallback: bool = True,
    ) -> list[Recall]:
        """Ask for N keys.

        Args:
            keys: as :meth:`bind_many` takes them; on a tape of one bank also key vectors
                float [N, D] of signs.
            alpha: rate at which unknown keys are answered; None = the tape's where the accumulator
                decides alone, 1 = nothing is refused.
            decoder: ``"filter"`` (the accumulator alone), ``"sic"`` or ``"amp"`` (all facts of a
                bank jointly, from the ledger's key list). None = the tape's decoder for listed
                keys, and "unknown" for others.
            resolve: let the resolver, if there is one, map an unlisted text key to a listed one.
            fallback: where the accumulator does not read the value that the ledger lists, answer
                with that, ``method="ledger"``; off where the accumulator itself is measured.

        Raises:
            ValueError: ``alpha`` outside (0, 1], an unknown decoder, or one without its ledger.
        """
        return self._reader.recall(keys, alpha, decoder, resolve, fallback)

    @whole
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
        """All live facts of the ledger, in the order they were bound, as they are now."""
        with self._lock:
            ledger = self._parts.listed("facts")
            live = ledger.live_rows()
            found = [self._parts.fact(i) for i in live[ledger.column("position")[live] == 0]]
        return iter(found)

    @whole
    def history(self, key: Key) -> list[Fact]:
        """All that was ever bound under a key, in any of its spellings, oldest first."""
        rows = self._parts.listed("history").history(self._parts.door.every(key))
        return [self._parts.fact(row) for row in rows]

    def stored_value(self, row: int) -> Any:
        """The value that the ledger lists for the fact at a root row."""
        return self._parts.value(row)

    @whole
    def capacity(self, level: float = 0.99, alpha: float = 1.0) -> audit.Capacity:
        """The fill level and the number of facts that fit at accuracy ``level``, counted at
        ``alpha`` (1: the best value, whether or not it would be answered)."""
        return audit.capacity_of(self._parts, level, alpha)

    @whole
    def audit(self, sample: int = audit.SAMPLE) -> audit.Audit:
        """Read the listed facts again; see :func:`prism.holo.audit.audit`."""
        return audit.audit(self._parts, sample)

    def merge(self, other: HoloTape, on_conflict: str = "error") -> merge.MergeReport:
        """Add all facts of ``other``; see :func:`prism.holo.merge.merge`."""
        first, second = sorted((self, other), key=id)  # so that two merges cannot block each other
        with first._lock, second._lock:
            return merge.merge(self._parts, other._parts, on_conflict)

    @whole
    def erase_history(self) -> int:
        """Drop what the ledger remembers of facts that are gone; the rows that were dropped. See
        :func:`prism.holo.merge.erase_history`."""
        return merge.erase_history(self._parts)

    @whole
    def grow(self, allowed: bool = True) -> None:
        """Let the tape grow by itself from now on, and at once if it is too full; or not."""
        let_grow(self._parts, allowed)

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
        return self._parts.key_vectors(keys)
