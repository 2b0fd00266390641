"""Questions to a tape: whole facts, sequences, listed keys and key vectors, by any decoder.

With a ledger an unlisted key is refused with certainty and never reaches the accumulator. A listed
one is read, and as it is known to be stored, its best value is the answer if it is more likely than
not (or, where ``alpha`` is given, above that threshold). ``decoder="filter"`` asks the accumulator
alone, as if there were no ledger: the false-accept rate ``alpha`` is about such questions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from prism.holo.algebra.codes import Key, position_hashes
from prism.holo.parts import DECODERS, TapeParts
from prism.holo.recall import GUESS, Readout, Recall, clean_up, read

CERTAIN = 1 - 1e-9  # prior probability that a listed key is stored


class Reader:
    """Answers from the parts of a tape, which it never changes."""

    def __init__(self, parts: TapeParts) -> None:
        self._parts = parts

    def recall(
        self,
        keys: Sequence[Key] | np.ndarray | Tensor,
        alpha: float | None,
        decoder: str | None,
        resolve: bool,
    ) -> list[Recall]:
        """Answers to N keys; see :meth:`prism.holo.tape.HoloTape.recall_many`."""
        if isinstance(keys, Tensor) and keys.is_floating_point():
            return self._recall_vectors(keys, alpha)
        if isinstance(keys, Tensor):
            keys = keys.tolist()
        keys = keys if hasattr(keys, "__len__") else list(keys)
        used, hashes = list(keys), self._parts.hash(keys)
        if self._parts.resolver is not None and resolve and decoder is None:
            used = self._resolved(used, hashes)
            hashes = self._parts.hash(used)
        readout, values, how = self._facts(hashes, alpha, decoder)
        sources = self._sources(hashes)
        answers = []
        for i, accepted in enumerate(readout.accepted):
            replaced = used[i] is not keys[i] and used[i] != keys[i]
            posterior = float((readout.posterior if accepted else readout.unknown)[i])
            answers.append(
                Recall(
                    value=values[i] if accepted else None,
                    posterior=posterior * GUESS if replaced else posterior,
                    p_value=1.0 if replaced else float(readout.p_value[i]),
                    source=sources[i] if accepted else None,
                    method=how[i],
                    key_used=used[i],
                    resolved_from=keys[i] if replaced else None,
                )
            )
        return answers

    def read(
        self,
        hashes: np.ndarray,
        alpha: float | None = None,
        decoder: str | None = None,
        known: float = 0.5,
    ) -> Readout:
        """The readout of N key hashes; see :meth:`prism.holo.tape.HoloTape.read`."""
        parts, alpha = self._parts, self._alpha(alpha)
        decoder = decoder or parts.config.decoder
        if decoder not in DECODERS:
            raise ValueError(f"decoder = {decoder!r}: must be one of {', '.join(DECODERS)}")
        if decoder == "filter":
            codes, layers = parts.vocabulary.codes, parts.config.layers
            return read(parts.accumulator, codes, hashes, alpha, known, layers)
        parts.listed(f"decoder {decoder!r}")
        return parts.joint.read(hashes, decoder, alpha)

    def _facts(
        self, hashes: np.ndarray, alpha: float | None, decoder: str | None
    ) -> tuple[Readout, list[Any], list[str]]:
        """The readout of N whole facts, their values, and what decided each."""
        parts = self._parts
        listed, ask = np.ones(len(hashes), bool), partial(self.read, alpha=alpha, decoder=decoder)
        if decoder is None and parts.ledger is not None and parts.unlisted == 0:
            listed = parts.ledger.find(hashes) >= 0
            ask = partial(self._read_listed, alpha=alpha)
        of_listed = ask(hashes[listed])
        if parts.config.sequence:
            of_listed, values = self._read_on(hashes[listed], of_listed, ask)
        else:
            values = [parts.vocabulary.value(int(i)) if i >= 0 else None for i in of_listed.ids]
        columns = [np.full(len(hashes), fill) for fill in (-1, 0.0, 1.0, 1.0, False)]
        for column, part in zip(columns, vars(of_listed).values(), strict=True):
            column[listed] = part
        every: list[Any] = [None] * len(hashes)
        for place, value in zip(np.flatnonzero(listed), values, strict=True):
            every[place] = value
        used = decoder or parts.config.decoder
        return Readout(*columns), every, [used if is_listed else "ledger" for is_listed in listed]

    def _read_listed(self, hashes: np.ndarray, alpha: float | None) -> Readout:
        """The readout of keys that are known to be stored: only what is unlikely is refused."""
        best = self.read(hashes, alpha, known=CERTAIN)
        sure = best.posterior >= 0.5 if alpha is None else best.accepted
        return replace(best, accepted=sure, unknown=1 - best.posterior)

    def _read_on(
        self, hashes: np.ndarray, first: Readout, ask: Callable[[np.ndarray], Readout]
    ) -> tuple[Readout, list[tuple]]:
        """Read sequences on to their end marks, one position of all at a time."""
        vocabulary = self._parts.vocabulary
        posterior, p_value = first.posterior.copy(), first.p_value.copy()
        accepted, values = first.accepted.copy(), [[] for _ in hashes]
        open_, readout, position = np.arange(len(hashes)), first, 0
        while len(open_):
            for place, index in zip(open_, readout.ids, strict=True):
                if accepted[place] and index != vocabulary.end:
                    values[place].append(vocabulary.value(int(index)))
            go_on = readout.accepted & (readout.ids != vocabulary.end)
            open_, position = open_[go_on], position + 1
            readout = ask(position_hashes(hashes[open_], position))
            accepted[open_] = readout.accepted
            posterior[open_] *= readout.posterior
            p_value[open_] = np.maximum(p_value[open_], readout.p_value)
        whole = Readout(first.ids, posterior, 1 - posterior, p_value, accepted)
        return whole, [tuple(v) for v in values]

    def _recall_vectors(self, keys: Tensor, alpha: float | None) -> list[Recall]:
        parts = self._parts
        if parts.config.sequence:
            raise ValueError("a tape of sequences has no key vectors")
        products = parts.accumulator.unbind(keys).detach()
        codes, alpha = parts.vocabulary.codes, self._alpha(alpha)
        readout = clean_up(products.__getitem__, len(products), codes, alpha, known=0.5)
        answers = []
        for i, accepted in enumerate(readout.accepted):
            value = parts.vocabulary.value(int(readout.ids[i])) if accepted else None
            posterior = float((readout.posterior if accepted else readout.unknown)[i])
            answers.append(Recall(value, posterior, float(readout.p_value[i]), key_used=keys[i]))
        return answers

    def _alpha(self, alpha: float | None) -> float:
        alpha = self._parts.config.alpha if alpha is None else alpha
        if not 0 < alpha <= 1:
            raise ValueError(f"alpha = {alpha!r}: must be in (0, 1]")
        return alpha

    def _resolved(self, keys: list[Key], hashes: np.ndarray) -> list[Key]:
        """The keys, each unlisted text replaced by the listed one that it must have meant."""
        for i in np.flatnonzero(self._parts.ledger.find(hashes) < 0):
            if isinstance(keys[i], str):
                near = self._parts.resolver.resolve(keys[i])
                keys[i] = keys[i] if near is None else near
        return keys

    def _sources(self, hashes: np.ndarray) -> list[str | None]:
        ledger = self._parts.ledger
        if ledger is None or len(ledger.sources) == 1:
            return [None] * len(hashes)
        rows, ids = ledger.find(hashes), ledger.column("source")
        return [ledger.sources[ids[row]] if row >= 0 else None for row in rows]
