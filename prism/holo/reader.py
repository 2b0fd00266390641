"""Questions to a tape: whole facts, sequences, listed keys and key vectors, by any decoder.

With a ledger an unlisted key is refused with certainty and never reaches the accumulator. A listed
one is read, and as it is known to be stored, its best value is the answer if it is more likely than
not (or, where ``alpha`` is given, above that threshold). Where that is not what the ledger lists,
the ledger's value is the answer, ``method="ledger"``, unless ``fallback`` is off: then the
accumulator's own answer stands, or "unknown". ``decoder="filter"`` asks the accumulator alone, as
if there were no ledger: the false-accept rate ``alpha`` is about such questions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from prism.holo.algebra.codes import Key, position_hashes
from prism.holo.keys.normal import listed, normal_keys
from prism.holo.parts import DECODERS, TapeParts
from prism.holo.recall import GUESS, Readout, Recall, check, clean_up, read

CERTAIN = 1 - 1e-9  # prior probability that a listed key is stored


class Reader:
    """Answers from the parts of a tape, which it never changes."""

    def __init__(self, parts: TapeParts) -> None:
        self._parts = parts

    def recall(
        self,
        keys: Any,
        alpha: float | None = None,
        decoder: str | None = None,
        resolve: bool = True,
        fallback: bool = True,
    ) -> list[Recall]:
        """Answers to N keys; see :meth:`prism.holo.tape.HoloTape.recall_many`."""
        if isinstance(keys, Tensor) and keys.is_floating_point():
            return self._recall_vectors(keys, alpha)
        given = listed(keys)
        names, hashes = normal_keys(given), self._parts.hash(given)
        keys, used = list(given), names.tolist() if isinstance(names, np.ndarray) else list(names)
        resolved: set[int] = set()
        if self._parts.resolver is not None and resolve and decoder is None:
            resolved = self._resolve(used, hashes)
        readout, values, how = self._facts(hashes, alpha, decoder, fallback)
        sources = self._sources(hashes)
        answers = []
        for i, accepted in enumerate(readout.accepted):
            posterior = float((readout.posterior if accepted else readout.unknown)[i])
            answers.append(
                Recall(
                    value=values[i] if accepted else None,
                    posterior=posterior * GUESS if i in resolved else posterior,
                    p_value=1.0 if i in resolved else float(readout.p_value[i]),
                    source=sources[i] if accepted else None,
                    method=how[i],
                    key_used=used[i],
                    resolved_from=keys[i] if i in resolved else None,
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
        self, hashes: np.ndarray, alpha: float | None, decoder: str | None, fallback: bool
    ) -> tuple[Readout, list[Any], list[str]]:
        """The readout of N whole facts, their values, and what decided each."""
        parts = self._parts
        asked, ask = np.ones(len(hashes), bool), partial(self.read, alpha=alpha, decoder=decoder)
        if decoder is None and parts.ledger is not None and parts.unlisted == 0:
            asked = parts.ledger.find(hashes) >= 0
            ask = partial(self._read_listed, alpha=alpha)
            if fallback and parts.vocabulary.codes.large and not parts.config.sequence:
                ask = partial(self._check_listed, alpha=alpha)
        of_asked = ask(hashes[asked])
        if parts.config.sequence:
            of_asked, values = self._read_on(hashes[asked], of_asked, ask)
        else:
            values = [parts.vocabulary.value(int(i)) if i >= 0 else None for i in of_asked.ids]
        columns = [np.full(len(hashes), fill) for fill in (-1, 0.0, 1.0, 1.0, False)]
        for column, part in zip(columns, vars(of_asked).values(), strict=True):
            column[asked] = part
        every: list[Any] = [None] * len(hashes)
        for place, value in zip(np.flatnonzero(asked), values, strict=True):
            every[place] = value
        used = decoder or parts.config.decoder
        readout, how = Readout(*columns), [used if is_asked else "ledger" for is_asked in asked]
        if fallback and decoder is None and parts.ledger is not None:
            self._fall_back(hashes, readout, every, how)
        return readout, every, how

    def _fall_back(
        self, hashes: np.ndarray, readout: Readout, values: list[Any], how: list[str]
    ) -> None:
        """Answer from the ledger what is listed and was not read as listed."""
        ledger = self._parts.ledger
        roots = ledger.find(hashes)
        there = np.flatnonzero(roots >= 0)
        if not self._parts.config.sequence:
            same = ledger.column("value")[roots[there]] == readout.ids[there]
            there = there[~(same & readout.accepted[there])]
        for i in there.tolist():
            value = self._parts.value(int(roots[i]))
            if readout.accepted[i] and values[i] == value:
                continue
            values[i], how[i] = value, "ledger"
            readout.accepted[i], readout.posterior[i], readout.unknown[i] = True, 1.0, 0.0

    def _check_listed(self, hashes: np.ndarray, alpha: float | None) -> Readout:
        """:meth:`_read_listed` of the value that the ledger lists alone, where reading all would
        need a large matrix; with a joint decoder the bank is decoded as ever."""
        parts = self._parts
        if parts.config.decoder != "filter":
            return self._read_listed(hashes, alpha)
        ids = parts.ledger.column("value")[parts.ledger.find(hashes)].astype(np.int64)
        codes, layers = parts.vocabulary.codes, parts.config.layers
        best = check(parts.accumulator, codes, hashes, ids, self._alpha(alpha), CERTAIN, layers)
        return _of_listed(best, alpha)

    def _read_listed(self, hashes: np.ndarray, alpha: float | None) -> Readout:
        """The readout of keys that are known to be stored: only what is unlikely is refused."""
        return _of_listed(self.read(hashes, alpha, known=CERTAIN), alpha)

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

    def _resolve(self, keys: list[Key], hashes: np.ndarray) -> set[int]:
        """Replace each unlisted text and its hash by those of the listed one that it must have
        meant; the places of those replaced."""
        done = set()
        for i in np.flatnonzero(self._parts.ledger.find(hashes) < 0).tolist():
            if isinstance(keys[i], str):
                near = self._parts.resolver.resolve(keys[i])
                if near is not None:
                    keys[i], hashes[i] = near, self._parts.hash([near])[0]
                    done.add(i)
        return done

    def _sources(self, hashes: np.ndarray) -> list[str | None]:
        ledger = self._parts.ledger
        if ledger is None or len(ledger.sources) == 1:
            return [None] * len(hashes)
        rows, ids = ledger.find(hashes), ledger.column("source")
        return [ledger.sources[ids[row]] if row >= 0 else None for row in rows]


def _of_listed(best: Readout, alpha: float | None) -> Readout:
    """The readout of listed keys: accepted is what is likelier than not, or above ``alpha``."""
    sure = best.posterior >= 0.5 if alpha is None else best.accepted
    return replace(best, accepted=sure, unknown=1 - best.posterior)
