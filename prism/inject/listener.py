"""One sequence as the tape hears it: when a fact is asked for, and what it still has to say.

At each token, hard decisions in this order:

1. an answer under way goes on if the text follows it (the latch), else it is dropped;
2. relations are asked about if a score passes the threshold, the likeliest first; a lower one
   where the relation's own words are in the sentence;
3. the subject is the name with the most attention on it, of those that stand in the text;
4. a question that puts other words to the relation's noun is about something else;
5. the register is read at (subject, relation, 0); a read below the noise threshold says nothing.

Nothing said at a step means that the model's logits of that step are not touched at all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from prism.inject.modifiers import altered
from prism.inject.names import Mention, Transcript
from prism.inject.spoken import spoken

if TYPE_CHECKING:
    from prism.inject.knowledge import Knowledge


@dataclass(frozen=True)
class Firing:
    """A token that a fact put there.

    Attributes:
        position: index of the token that the sequence ended with.
        token: what comes next according to the tape.
        z: the read in standard deviations of the register's noise.
        subject, relation: the fact's address; ``place`` in the answer, 0 first.
        score: how far the relation's score was above the threshold, when the answer began; below 0
            where the relation's own words made up for it.
        name: the text that was taken for the subject; ``how`` is "name" or "typo".
        source: where the fact came from.
    """

    position: int
    token: int
    z: float
    subject: str
    relation: str
    place: int
    score: float
    name: str
    how: str
    source: str | None


class Listener:
    """Follows one sequence, token by token; the state beside the model's own."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._transcript = Transcript(knowledge.names, knowledge.tokenizer)
        self._last: Firing | None = None

    def hear(
        self, tokens: Sequence[int], hidden: Tensor, attention: Tensor | None
    ) -> list[Firing | None]:
        """What the tape says after each of the next tokens.

        Args:
            tokens: T ids.
            hidden: ``[T, n, D]`` states of the calibrated layers.
            attention: ``[T, S]`` mean weights of the calibrated heads over all S tokens so far;
                None for a model without attention.
        """
        asked = self._knowledge.asked(hidden)
        said = []
        for i, token in enumerate(tokens):
            at = len(self._transcript)
            self._transcript.append(token)
            firing = self._go_on(at, token)
            if firing is None and asked[i]:
                mention = self._subject(None if attention is None else attention[i])
                if mention is not None:
                    firing = self._begin(at, mention, asked[i])
            said.append(firing)
            self._last = firing
        return said

    def _go_on(self, at: int, token: int) -> Firing | None:
        last = self._last
        if last is None or last.token != token:
            return None
        place = last.place + 1
        read = self._knowledge.read(last.subject, last.relation, place)
        if read is None:
            return None
        token, z = read
        return dataclasses.replace(last, position=at, token=token, z=z, place=place)

    def _begin(self, at: int, mention: Mention, asked: list[tuple[str, float]]) -> Firing | None:
        text = self._transcript.recent()
        for relation, score in asked:
            wordings = self._knowledge.relations[relation].wordings
            if score <= 0 and not spoken(text, mention.text, wordings):
                continue
            if altered(text, mention.text, wordings):
                continue
            read = self._knowledge.read(mention.subject, relation, 0)
            if read is not None:
                source = self._knowledge.source(mention.subject, relation)
                return Firing(
                    at,
                    *read,
                    mention.subject,
                    relation,
                    0,
                    score,
                    mention.text,
                    mention.how,
                    source,
                )
        return None

    def _subject(self, attention: Tensor | None) -> Mention | None:
        seen = self._transcript.mentions()
        if not seen:
            return None
        if attention is None:
            known = [m for m in seen if m.subject is not None]
            return known[-1] if known else None
        attention = torch.cat([torch.zeros(1), attention[1:]])  # the first token is a place to rest
        mass = [float(attention[m.first : m.last + 1].sum()) for m in seen]
        best = max(range(len(seen)), key=mass.__getitem__)
        enough = mass[best] >= self._knowledge.share * float(attention.max())
        alone = len(seen) == 1 and seen[0].first == 0
        return seen[best] if (enough or alone) and seen[best].subject is not None else None
