"""Config and parts of a tape, and the writes that keep the parts in step.

The accumulator holds the sum, the vocabulary the values and their codes, the ledger the list of
what was bound, the resolver the texts of the keys. A write changes all of them or none; merging,
reading, auditing and saving (:mod:`~prism.holo.merge`, :mod:`~prism.holo.reader`,
:mod:`~prism.holo.audit`, :mod:`~prism.holo.file`) work on these parts.
"""

from __future__ import annotations

import dataclasses
import json
import time as clock
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from prism.holo.algebra.accumulator import DTYPES, Accumulator
from prism.holo.algebra.codes import amplitude_of, sign_codes
from prism.holo.capacity.room import Room
from prism.holo.decode import JointDecoder
from prism.holo.keys.door import Door
from prism.holo.keys.normal import KeyHash, listed, normal_source
from prism.holo.keys.resolver import Resolver
from prism.holo.ledger import FORGOTTEN, Ledger
from prism.holo.store import Fact
from prism.holo.vocabulary import Bindings, Item, Vocabulary

DECODERS = ("filter", "sic", "amp")


@dataclass(frozen=True, kw_only=True)
class HoloConfig:
    """Shape of a tape's accumulator, and its defaults of reading.

    Args:
        dim: numbers D of a bank.
        banks: B; more than one needs an integer ``dtype``.
        dtype: of the accumulator, from ``accumulator.DTYPES``.
        seed: of all codes, 0 <= seed < 2**63.
        layers: amplitude layers; more than one needs a ledger and ``decoder = "amp"``.
        sequence: values are tuples.
        ledger: keep the list of facts beside the accumulator.
        resolver: keep the key strings and map misspelt keys to them; needs the ledger.
        decoder: default decoder of the tape, from ``DECODERS``.
        alpha: rate in (0, 1] at which unknown keys are answered; 1 = nothing is ever refused.
        accuracy: share of facts in (0, 1) that is to be read right at ``alpha``.
        grow: a write that would leave the accuracy below that first rebuilds the tape larger from
            its ledger (:mod:`prism.holo.growth`); False: it is refused.
        overfill: neither; for curves of what happens beyond the capacity.
    """

    dim: int = 8192
    banks: int = 1
    dtype: str = "float32"
    seed: int = 0
    layers: int = 1
    sequence: bool = False
    ledger: bool = True
    resolver: bool = False
    decoder: str = "filter"
    alpha: float = 0.01
    accuracy: float = 0.99
    grow: bool = True
    overfill: bool = False

    def __post_init__(self) -> None:
        for name, low, high in (
            ("dim", 1, 2**24),
            ("banks", 1, 2**31),
            ("seed", 0, 2**63),
            ("layers", 1, 13),
        ):
            value = getattr(self, name)
            ok = isinstance(value, int) and not isinstance(value, bool) and low <= value < high
            self._require(ok, name, f"an integer in {low}..{high - 1}")
        for name in ("sequence", "ledger", "resolver", "grow", "overfill"):
            self._require(isinstance(getattr(self, name), bool), name, "True or False")
        self._require(self.dtype in DTYPES, "dtype", f"one of {', '.join(DTYPES)}")
        self._require(self.decoder in DECODERS, "decoder", f"one of {', '.join(DECODERS)}")
        ok = isinstance(self.alpha, int | float) and 0 < self.alpha <= 1
        self._require(ok, "alpha", "a number in (0, 1]")
        ok = isinstance(self.accuracy, int | float) and 0 < self.accuracy < 1
        self._require(ok, "accuracy", "a number in (0, 1)")
        floating = DTYPES[self.dtype].is_floating_point
        self._require(not floating or self.banks == 1, "banks", f"1 where dtype is {self.dtype}")
        listed = self.ledger or self.decoder == "filter"
        self._require(listed, "decoder", "'filter' without a ledger: the others need its key list")
        joint = self.layers == 1 or self.decoder == "amp"
        self._require(joint, "layers", "1 unless decoder is 'amp'")
        self._require(self.ledger or not self.resolver, "resolver", "False without a ledger")

    def _require(self, ok: bool, name: str, allowed: str) -> None:
        if not ok:
            raise ValueError(f"HoloTape {name} = {getattr(self, name)!r}: must be {allowed}")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; ``HoloConfig(**values)`` gives back an equal config."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Growth:
    """One growth of a tape; its text is the line that says so."""

    before: str
    after: str
    items: int

    def __str__(self) -> str:
        return f"grew from {self.before} to {self.after} for {self.items:,} items"


@dataclass(eq=False)
class TapeParts:
    """Config, accumulator, vocabulary, ledger and resolver of one tape.

    Attributes:
        ledger, resolver: None where the config wants none.
        unlisted: facts that no row of the ledger stands for (vectors; all facts without a ledger).
        revision: grows at every change of the accumulator.
        joint: the joint decoder of the listed facts; None without a ledger.
        room: of the accumulator.
        door: hashes of keys.
        growths: of the accumulator, since the parts were made.
    """

    config: HoloConfig
    accumulator: Accumulator
    vocabulary: Vocabulary
    ledger: Ledger | None
    resolver: Resolver | None
    unlisted: int = 0
    revision: int = 0

    def __post_init__(self) -> None:
        self.door = Door(self.config.seed)
        self.growths: list[Growth] = []
        self.put(self.config, self.accumulator)

    def put(self, config: HoloConfig, accumulator: Accumulator) -> None:
        """Go on with an accumulator of another shape that holds the same facts."""
        c = self.config = config
        self.accumulator = accumulator
        self.room = Room(c.dim, c.banks, c.alpha, c.decoder, c.layers)
        self.joint: JointDecoder | None = None
        if self.ledger is not None:
            codes = self.vocabulary.codes
            self.joint = JointDecoder(accumulator, codes, self.ledger, c.layers)

    @classmethod
    def empty(
        cls,
        config: HoloConfig,
        values: int | Sequence[Item] | Tensor | None = None,
        device: str | torch.device = "cpu",
    ) -> TapeParts:
        """The parts of a tape that holds nothing; ``values`` as :class:`Vocabulary` takes them."""
        c = config
        return cls(
            c,
            Accumulator(c.banks, c.dim, c.dtype, device),
            Vocabulary(c.dim, values, c.sequence, c.seed),
            Ledger() if c.ledger else None,
            Resolver() if c.resolver else None,
        )

    @property
    def fingerprint(self) -> str:
        """Text that agrees for two tapes whose accumulators may be added."""
        c = self.config
        return json.dumps([c.dim, c.banks, c.layers, c.seed, self.vocabulary.fingerprint])

    @property
    def bindings(self) -> int:
        """Bound pairs in the accumulator; a sequence is one pair per position."""
        return self.unlisted + (0 if self.ledger is None else self.ledger.live)

    @property
    def facts(self) -> int:
        """Facts in the accumulator."""
        return self.unlisted + (0 if self.ledger is None else self.ledger.live_facts)

    def hash(self, keys: Any) -> np.ndarray:
        """Hashes uint64 [N] under which keys are listed, or would be; see
        :class:`~prism.holo.keys.door.Door`."""
        return self.door.hash(keys, None if self.ledger is None else self.ledger.find)

    def key_vectors(self, keys: Any) -> Tensor:
        """Codes float [N, D] of N keys."""
        numbers = self.accumulator.numbers
        kind = numbers.dtype if numbers.dtype.is_floating_point else torch.float32
        return sign_codes(self.hash(keys), self.config.dim).to(numbers.device, kind)

    def listed(self, what: str) -> Ledger:
        """The ledger, for the operation ``what``; raises ValueError where there is none."""
        if self.ledger is None:
            raise ValueError(f"{what}: this tape has no ledger (ledger=False), so no list of keys")
        return self.ledger

    def value(self, row: int) -> Any:
        """The value that the ledger lists for the fact at a root row."""
        column = self.ledger.column("value")
        if not self.config.sequence:
            return self.vocabulary.value(int(column[row]))
        rows = self.ledger.chain(np.array([row]))[0]
        return tuple(self.vocabulary.value(int(i)) for i in column[rows[:-1]])

    def fact(self, row: int) -> Fact:
        """The fact at a root row of the ledger."""
        column = self.ledger.column
        key = column("key")[row]
        text = self.resolver.text(key) if self.resolver is not None else None
        source = self.ledger.sources[column("source")[row]]
        name = KeyHash(key) if text is None else text
        return Fact(name, self.value(row), source, float(column("time")[row]))

    def source_ids(self, source: Any, count: int) -> np.ndarray:
        """Ids int32 [count] of one source's name, or of one name per fact."""
        if self.ledger is None:
            return np.zeros(count, np.int32)
        if source is None or isinstance(source, str):
            return np.full(count, self.ledger.source_id(normal_source(source)), np.int32)
        several = isinstance(source, Iterable) or hasattr(source, "to_numpy")
        source = listed(source, "source") if several else source
        if not isinstance(source, list) or not all(isinstance(s, str | None) for s in source):
            raise TypeError(f"source = {source!r}: must be text, or a list of texts")
        if len(source) != count:
            raise ValueError(f"{len(source)} sources for {count} keys: must be one or as many")
        ids = [self.ledger.source_id(normal_source(name)) for name in source]
        return np.array(ids, np.int32)

    def same(self, bindings: Bindings, roots: np.ndarray) -> np.ndarray:
        """Facts bool [F] that the ledger holds, at the rows ``roots`` [F] (-1 = none), with just
        this value."""
        same = roots >= 0
        if same.any():
            rows = self.ledger.find(bindings.hashes)
            equal = (rows >= 0) & (self.ledger.column("value")[rows] == bindings.ids)
            same[bindings.fact[~equal]] = False
        return same

    def write(
        self,
        bindings: Bindings,
        replaced: np.ndarray,
        source: np.ndarray,
        time: np.ndarray | float | None,
    ) -> None:
        """Add bindings of F facts and take out the facts at the rows ``replaced``, in one sum.

        Args:
            source: ids int32 [F].
            time: seconds since 1970, one or one per binding; None = now.

        Raises:
            OverflowError: the accumulator is too narrow; nothing is written.
        """
        ones = np.ones(len(bindings.ids), np.int64)
        if self.ledger is None:
            self._add(bindings.hashes, bindings.ids, ones)
            self.unlisted += int((bindings.position == 0).sum())
            return
        rows, owner = self.ledger.chain(replaced)
        column = self.ledger.column
        self._add(
            np.concatenate((column("key")[rows], bindings.hashes)),
            np.concatenate((column("value")[rows], bindings.ids)),
            np.concatenate((-np.ones(len(rows), np.int64), ones)),
        )
        keys = column("key")[replaced][owner]
        now = clock.time() if time is None else time
        self.ledger.append(
            bindings.hashes, bindings.ids, bindings.position, source[bindings.fact], now
        )
        self.ledger.supersede(rows, self.ledger.latest(keys))

    def forget_rows(self, roots: np.ndarray) -> None:
        """Take out the facts at the root rows of the ledger."""
        rows = self.ledger.chain(roots)[0]
        column = self.ledger.column
        self._add(column("key")[rows], column("value")[rows], -np.ones(len(rows), np.int64))
        self.ledger.supersede(rows, FORGOTTEN)
        if self.resolver is not None:
            self.resolver.forget(column("key")[roots])

    def forget_unlisted(self, bindings: Bindings, facts: int) -> None:
        """Take out the bindings of ``facts`` facts that no ledger lists; raises ValueError where
        there are fewer."""
        if facts > self.unlisted:
            raise ValueError(f"forget: {facts:,} facts of {self.unlisted:,} that are bound")
        self._add(bindings.hashes, bindings.ids, -np.ones(len(bindings.ids), np.int64))
        self.unlisted -= facts

    def changed(self, banks: np.ndarray) -> None:
        """Note that the banks int64 [n] have been written."""
        self.revision += len(banks) > 0
        if self.joint is not None:
            self.joint.invalidate(banks)

    def _add(self, hashes: np.ndarray, ids: np.ndarray, sign: np.ndarray) -> None:
        """Add sign * amplitude * key * value of n bindings to the accumulator."""
        amplitudes = sign * amplitude_of(hashes, self.config.layers)
        codes = self.vocabulary.codes
        self.changed(self.accumulator.bind(hashes, ids, codes, amplitudes))
