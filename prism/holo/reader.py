"""Questions to a tape, and what may be said in reply.

With a ledger an unlisted key is refused with certainty and never reaches the accumulator. A listed
one is read, and as it is known to be stored, its best value is the answer if it is more likely
than not (or, where ``alpha`` is given, above that threshold). ``decoder="filter"`` asks the
accumulator alone,
as if there were no ledger: this is what the false-accept rate ``alpha`` is about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from prism.holo.algebra.codes import Key, position_hashes
from prism.holo.config import DECODERS
from prism.holo.recall import Reading, Recall, read, read_vectors
from prism.holo.store import Fact

if TYPE_CHECKING:
    from prism.holo.tape import HoloTape


CERTAIN = 1 - 1e-9  # prior probability that a listed key is stored


class Answering:
    """``recall`` and its kin, for :class:`prism.holo.tape.HoloTape`."""

    def recall(self: HoloTape, key: Key | Tensor, alpha: float | None = None, **how: Any) -> Recall:
        """Ask for one key; see :meth:`recall_many`."""
        if isinstance(key, Tensor) and key.ndim == 1:
            return self.recall_many(key[None], alpha, **how)[0]
        return self.recall_many([key], alpha, **how)[0]

    def recall_many(
        self: HoloTape,
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
        if isinstance(keys, Tensor) and keys.is_floating_point():
            return self._recall_vectors(keys, alpha)
        if isinstance(keys, Tensor):
            keys = keys.tolist()
        keys = keys if hasattr(keys, "__len__") else list(keys)
        used, hashes = list(keys), self.hash(keys)
        if self.resolver is not None and resolve and decoder is None:
            used = self._resolved(used, hashes)
            hashes = self.hash(used)
        reading, ids, how = self._read_values(hashes, alpha, decoder)
        sources = self._sources_of(hashes)
        return [
            Recall(
                value=ids[i] if reading.accepted[i] else None,
                posterior=float(
                    reading.posterior[i] if reading.accepted[i] else reading.unknown[i]
                ),
                p_value=float(reading.p_value[i]),
                source=sources[i] if reading.accepted[i] else None,
                method=how[i],
                key_used=used[i],
                resolved_from=None if used[i] is keys[i] or used[i] == keys[i] else keys[i],
            )
            for i in range(len(hashes))
        ]

    def read(
        self: HoloTape,
        hashes: np.ndarray,
        alpha: float | None = None,
        decoder: str | None = None,
        known: float = 0.5,
    ) -> Reading:
        """The reading of item hashes uint64 [N], as arrays; ``decoder`` as in ``recall_many``,
        ``known`` the prior probability that a key is stored."""
        alpha = self._alpha(alpha)
        decoder = decoder or self.config.decoder
        if decoder not in DECODERS:
            raise ValueError(f"decoder = {decoder!r}: must be one of {', '.join(DECODERS)}")
        codes = self.vocabulary.codes
        if decoder == "filter":
            return read(self.accumulator, codes, hashes, alpha, known, self.config.layers)
        self._listed(f"decoder {decoder!r}")
        return self.joint.read(hashes, decoder, alpha)

    def facts(self: HoloTape) -> Iterator[Fact]:
        """All live facts of the ledger, in the order they were bound."""
        ledger = self._listed("facts")
        live = ledger.live_rows()
        for row in live[ledger.column("position")[live] == 0]:
            yield self._fact(row)

    def history(self: HoloTape, key: Key) -> list[Fact]:
        """All that was ever bound under a key, oldest first."""
        ledger = self._listed("history")
        return [self._fact(row) for row in ledger.history(self.hash([key])[0])]

    def stored_value(self: HoloTape, row: int) -> Any:
        """The value that the ledger lists for the fact at a root row."""
        column = self.ledger.column("value")
        if not self.config.sequence:
            return self.vocabulary.value(int(column[row]))
        rows = self.ledger.chain(np.array([row]))[0]
        return tuple(self.vocabulary.value(int(i)) for i in column[rows[:-1]])

    def _fact(self: HoloTape, row: int) -> Fact:
        column = self.ledger.column
        key = column("key")[row]
        text = self.resolver.text(key) if self.resolver is not None else None
        source = self.ledger.sources[column("source")[row]]
        name = int(key) if text is None else text
        return Fact(name, self.stored_value(row), source, float(column("time")[row]))

    def _read_values(
        self: HoloTape, hashes: np.ndarray, alpha: float | None, decoder: str | None
    ) -> tuple[Reading, list[Any], list[str]]:
        """The reading of whole facts, their values, and what decided."""
        used, listed = decoder or self.config.decoder, np.ones(len(hashes), bool)
        ask = partial(self.read, alpha=alpha, decoder=decoder)
        if decoder is None and self.ledger is not None and self._unlisted == 0:
            listed = self.ledger.find(hashes) >= 0
            ask = partial(self._read_listed, alpha=alpha)
        found = ask(hashes[listed])
        if self.config.sequence:
            found, values = self._read_on(hashes[listed], found, ask)
        else:
            values = [self.vocabulary.value(int(i)) if i >= 0 else None for i in found.ids]
        columns = [np.full(len(hashes), fill) for fill in (-1, 0.0, 1.0, 1.0, False)]
        for column, part in zip(columns, vars(found).values(), strict=True):
            column[listed] = part
        every: list[Any] = [None] * len(hashes)
        for place, value in zip(np.flatnonzero(listed), values, strict=True):
            every[place] = value
        how = [used if is_listed else "ledger" for is_listed in listed]
        return Reading(*columns), every, how

    def _read_listed(self: HoloTape, hashes: np.ndarray, alpha: float | None) -> Reading:
        """The reading of keys that are known to be stored: refused is only what is unlikely."""
        found = self.read(hashes, alpha, known=CERTAIN)
        sure = found.posterior >= 0.5 if alpha is None else found.accepted
        return replace(found, accepted=sure, unknown=1 - found.posterior)

    def _read_on(
        self: HoloTape, hashes: np.ndarray, first: Reading, ask: Callable[[np.ndarray], Reading]
    ) -> tuple[Reading, list[tuple]]:
        """Read sequences to their end marks, one position of all at a time."""
        posterior, p_value = first.posterior.copy(), first.p_value.copy()
        accepted, values = first.accepted.copy(), [[] for _ in hashes]
        open_, reading, position = np.arange(len(hashes)), first, 0
        while len(open_):
            for place, index in zip(open_, reading.ids, strict=True):
                if accepted[place] and index != self.vocabulary.end:
                    values[place].append(self.vocabulary.value(int(index)))
            go_on = reading.accepted & (reading.ids != self.vocabulary.end)
            open_, position = open_[go_on], position + 1
            reading = ask(position_hashes(hashes[open_], position))
            accepted[open_] = reading.accepted
            posterior[open_] *= reading.posterior
            p_value[open_] = np.maximum(p_value[open_], reading.p_value)
        whole = Reading(first.ids, posterior, 1 - posterior, p_value, accepted)
        return whole, [tuple(v) for v in values]

    def _recall_vectors(self: HoloTape, keys: Tensor, alpha: float | None) -> list[Recall]:
        if self.config.sequence:
            raise ValueError("a tape of sequences has no key vectors")
        found = read_vectors(self.unbind(keys), self.vocabulary.codes, self._alpha(alpha))
        answers = []
        for i, accepted in enumerate(found.accepted):
            value = self.vocabulary.value(int(found.ids[i])) if accepted else None
            posterior = float((found.posterior if accepted else found.unknown)[i])
            answers.append(Recall(value, posterior, float(found.p_value[i]), key_used=keys[i]))
        return answers

    def _alpha(self: HoloTape, alpha: float | None) -> float:
        alpha = self.config.alpha if alpha is None else alpha
        if not 0 < alpha <= 1:
            raise ValueError(f"alpha = {alpha!r}: must be in (0, 1]")
        return alpha

    def _resolved(self: HoloTape, keys: list[Key], hashes: np.ndarray) -> list[Key]:
        unlisted = self.ledger.find(hashes) < 0
        for i in np.flatnonzero(unlisted):
            if isinstance(keys[i], str):
                match = self.resolver.resolve(keys[i])
                keys[i] = keys[i] if match is None else match.key
        return keys

    def _sources_of(self: HoloTape, hashes: np.ndarray) -> list[str | None]:
        if self.ledger is None or len(self.ledger.sources) == 1:
            return [None] * len(hashes)
        rows = self.ledger.find(hashes)
        ids, names = self.ledger.column("source"), self.ledger.sources
        return [names[ids[row]] if row >= 0 else None for row in rows]
