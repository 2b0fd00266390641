"""Facts as token ids: the tape that a model with ``holo_mode`` reads.

A fact is (subject, relation) -> answer, three runs of token ids. Its key is the very hash that the
model makes of the runs while it reads (:func:`prism.ops.rolling.fact_key`): one encoder writes and
asks. The answer is a sequence on a :class:`HoloTape`, a code per token and position; what closes a
sequence is read out as the token ``stop``. Only the register answers, never the list of keys beside
it, so ``alpha`` is the chance that a fact that is not there is answered.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from prism.holo.algebra.codes import position_hashes
from prism.holo.tape import HoloTape
from prism.model.holo_read import FactRead
from prism.ops.rolling import fact_key

Ids = Sequence[int]


class TokenFacts:
    """A tape of facts in token ids.

    Args:
        vocab_size: number of token ids V of the model.
        stop: token id that ends every answer.
        dim, seed, alpha: of the :class:`HoloTape`.
    """

    def __init__(
        self, vocab_size: int, stop: int, dim: int = 32_768, seed: int = 0, alpha: float = 1e-4
    ) -> None:
        if not 0 <= stop < vocab_size:
            raise ValueError(f"stop = {stop}: must be a token id below vocab_size = {vocab_size}")
        self.vocab_size, self.stop = vocab_size, stop
        self.tape = HoloTape(
            dim, values=vocab_size, sequence=True, dtype="int16", seed=seed, alpha=alpha
        )

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
        """Take one fact out: the register becomes what never knew it.

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
