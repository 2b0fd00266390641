"""Facts as token ids: what a model with ``holo_mode`` reads.

A fact is (subject, relation) -> answer, three runs of token ids. Its key is the very hash that the
model makes of the runs while it reads (:func:`prism.ops.rolling.fact_key`): one encoder writes and
asks. The answer is a sequence on a :class:`HoloTape`, a code per token and position; what closes a
sequence is read out as the token ``stop``. Only the accumulator answers, never the ledger beside
it, so ``alpha`` is the chance that a fact that is not there is answered. :func:`facts_for` makes
such a view of a tape in text, which follows every change of that tape.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from prism.data.tokens import Tokenizer
from prism.holo import FactStore, HoloTape
from prism.holo.algebra.codes import position_hashes
from prism.inject.addresses import ACCURACY, banks_for
from prism.inject.sync import LiveView, parts
from prism.model.holo_read import FactRead
from prism.ops.rolling import fact_key

Ids = Sequence[int]


class TokenFacts:
    """A tape of facts in token ids.

    Args:
        vocab_size: number of token ids V of the model.
        stop: token id that ends every answer.
        dim, seed, alpha, banks: of the :class:`HoloTape`, which grows with its answers so that
            they are read whole.
        overfill: keep its size whatever it holds, for studies of one size.
    """

    def __init__(
        self,
        vocab_size: int,
        stop: int,
        dim: int = 32_768,
        seed: int = 0,
        alpha: float = 1e-4,
        banks: int = 1,
        overfill: bool = False,
    ) -> None:
        if not 0 <= stop < vocab_size:
            raise ValueError(f"stop = {stop}: must be a token id below vocab_size = {vocab_size}")
        self.vocab_size, self.stop = vocab_size, stop
        shape = {"dtype": "int16", "seed": seed, "alpha": alpha}
        shape |= {"accuracy": ACCURACY, "overfill": overfill}
        self.tape = HoloTape(dim, banks, values=vocab_size, sequence=True, **shape)

    def __len__(self) -> int:
        return len(self.tape)

    def bind(self, subject: Ids, relation: Ids, answer: Ids, source: str | None = None) -> None:
        """Add one fact; see :meth:`bind_many`."""
        self.bind_many([(subject, relation, answer)], source)

    def bind_many(self, facts: Sequence[tuple[Ids, Ids, Ids]], source: str | None = None) -> None:
        """Add facts (subject, relation, answer), all or none.

        Raises:
            ValueError: an empty part, an id that is none, or a key that has another answer.
        """
        keys = np.array([fact_key(subject, relation) for subject, relation, _ in facts], np.int64)
        self.tape.bind_many(keys, [tuple(answer) for _, _, answer in facts], source)

    def forget(self, subject: Ids, relation: Ids) -> None:
        """Take one fact out: the accumulator equals one that it was never added to.

        Raises:
            KeyError: it is not bound.
        """
        self.tape.forget(fact_key(subject, relation))

    def read_tokens(self, keys: Tensor, position: Tensor) -> FactRead:
        """Token ``position`` int64 [N] of the answers under ``keys`` int64 [N]; 1 = refused."""
        hashes = position_hashes(self.tape.hash(keys), position.cpu().numpy())
        reading = self.tape.read(hashes, decoder="filter")
        over = reading.ids == self.tape.vocabulary.end
        tokens = torch.from_numpy(np.where(over, self.stop, reading.ids))
        doubt = torch.from_numpy(np.where(reading.accepted, reading.p_value, 1.0))
        return FactRead(tokens.to(keys.device), doubt.to(keys.device))


class StoreFacts(LiveView):
    """The facts of a store in token ids, read by a model; see :func:`facts_for`."""

    def __init__(self, store: FactStore, tokenizer: Tokenizer, vocab_size: int, stop: int) -> None:
        super().__init__(store)
        self.tokenizer = tokenizer
        self.facts = TokenFacts(vocab_size, stop)

    def reset(self, room: int) -> None:
        f = self.facts
        dim = f.tape.config.dim
        self.facts = TokenFacts(f.vocab_size, f.stop, dim, banks=banks_for(room, f.vocab_size, dim))

    def tokens_of(self, answer: str) -> int:
        return len(self.tokenizer.encode(answer)) + 1

    def place(self, key: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        texts = parts(key)
        if len(texts) == 1:
            raise ValueError(f"key {key!r}: must be of the form 'RELATION of SUBJECT'")
        return self._ids(texts[0]), self._ids(texts[1])

    def add(self, address: tuple[Ids, Ids], answer: str, source: str | None) -> None:
        self.facts.bind(*address, self._ids(answer), source)

    def remove(self, address: tuple[Ids, Ids]) -> None:
        self.facts.forget(*address)

    def read_tokens(self, keys: Tensor, position: Tensor) -> FactRead:
        """As :meth:`TokenFacts.read_tokens`, of the store as it is now."""
        self.sync()
        return self.facts.read_tokens(keys, position)

    def _ids(self, text: str) -> tuple[int, ...]:
        ids = tuple(self.tokenizer.encode(text))
        wrong = [i for i in ids if not 0 <= i < self.facts.vocab_size]
        if wrong:
            limit = f"must be below vocab_size = {self.facts.vocab_size}"
            raise ValueError(f"token id {wrong[0]} of {text!r}: {limit}")
        return ids


def facts_for(
    store: FactStore, tokenizer: Tokenizer, vocab_size: int, stop: int | None = None
) -> StoreFacts:
    """The facts of a store, for ``model(tokens, facts=...)`` of a model with ``holo_mode``.

    A view: what is bound, updated or forgotten in the store later is read as well. Keys must be of
    the form "relation of subject"; subject, relation and answer are tokenised as they stand. What
    cannot be used is listed in ``skipped``.

    Args:
        store: a :class:`~prism.holo.HoloTape` with a ledger, or another :class:`FactStore`.
        tokenizer: the model's.
        vocab_size: number of token ids V of the model.
        stop: token id read after the last one of an answer; None = the full stop's.

    Raises:
        ValueError: the store cannot list its facts, or ``stop`` is no token id of the model.
    """
    if stop is None:
        stop = tokenizer.encode(".")[-1]
    view = StoreFacts(store, tokenizer, vocab_size, stop)
    view.sync()
    return view
