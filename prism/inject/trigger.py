"""Per-sequence trigger detector and answer state machine.

At each token, hard decisions in this order:

1. an answer under way goes on if the text follows it (the latch), else it is dropped;
2. relations are asked about if a score passes the threshold, the likeliest first; a lower one
   where the relation's own words are in the sentence;
3. the subject is the name with the most attention on it, of those that stand in the text;
4. a question that puts other words to the relation's noun is about something else;
5. the accumulator is read at (subject, relation, 0); below the noise threshold it gives nothing.

Without an injection at a step the model's logits of that step are not touched at all.

Words are evidence beside the hidden state. "The former capital of X" has a hidden state like that
of the plain question, but a word that no wording of the relation has stands before its noun
(:func:`altered`). In "The capital of X, of which Y had never heard, is" the noun lies so far back
that the state hardly tells the relation, but the noun and the last word are there
(:func:`spoken`); this is no proof, so it only lowers the score that is asked for.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from prism.inject.names import SLOT, Mention, Transcript

if TYPE_CHECKING:
    from prism.data.tokens import Tokenizer
    from prism.inject.knowledge import Knowledge


WORD = re.compile(r"[^\W_]+")
SENTENCE = re.compile(r"[.?!\n]")
PLAIN = frozenset(
    WORD.findall(
        "a an and any as at by do does for from has have i in is it its know me of on or our own "
        "s say tell that the their this to was we what which with you your"
    )
)


@dataclass(frozen=True)
class Injection:
    """A token that a fact puts after a sequence.

    Attributes:
        position: index of the token that the sequence ended with.
        token: what comes next according to the fact.
        z: the read in standard deviations of the accumulator's noise.
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

    def describe(self, tokenizer: Tokenizer) -> str:
        """One line: the token's text, the question, what was read, and the source."""
        piece = tokenizer.piece(self.token).decode("utf-8", "replace")
        asked = f"{self.relation} of {self.subject}"
        if SLOT in self.relation:
            asked = self.relation.replace(SLOT, self.subject)
        typo = f", read from {self.name!r}" if self.how == "typo" else ""
        source = "" if self.source is None else f", source {self.source}"
        return f"{piece!r}: {asked}{typo}, z {self.z:.1f}{source}"


class FactTrigger:
    """Detector and state of one sequence, beside the model's own state."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._transcript = Transcript(knowledge.names, knowledge.tokenizer)
        self._last: Injection | None = None

    def step(
        self, tokens: Sequence[int], hidden: Tensor, attention: Tensor | None
    ) -> list[Injection | None]:
        """The injection after each of the next tokens, or None.

        Args:
            tokens: T ids.
            hidden: ``[T, n, D]`` states of the calibrated layers.
            attention: ``[T, S]`` mean weights of the calibrated heads over all S tokens so far;
                None for a model without attention.
        """
        asked = self._knowledge.asked(hidden)
        injections = []
        for i, token in enumerate(tokens):
            at = len(self._transcript)
            self._transcript.append(token)
            injection = self._go_on(at, token)
            if injection is None and asked[i]:
                mention = self._subject(None if attention is None else attention[i])
                if mention is not None:
                    injection = self._begin(at, mention, asked[i])
            injections.append(injection)
            self._last = injection
        return injections

    def _go_on(self, at: int, token: int) -> Injection | None:
        last = self._last
        if last is None or last.token != token:
            return None
        place = last.place + 1
        read = self._knowledge.read(last.subject, last.relation, place)
        if read is None:
            return None
        token, z = read
        return dataclasses.replace(last, position=at, token=token, z=z, place=place)

    def _begin(self, at: int, mention: Mention, asked: list[tuple[str, float]]) -> Injection | None:
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
                return Injection(
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


def noun_of(wordings: Sequence[str]) -> frozenset[str]:
    """The content words that every wording has."""
    shared = frozenset.intersection(*(frozenset(words(w)) for w in wordings))
    return shared - PLAIN


def altered(text: str, subject: str, wordings: Sequence[str]) -> bool:
    """True if the last sentence of ``text`` turns the relation of ``subject`` into another one.

    Args:
        text: what was read so far.
        subject: the subject as it is written there.
        wordings: of the relation, ``{}`` for the subject.
    """
    sentence = SENTENCE.split(text.rstrip(" .?!\n:"))[-1]
    before, name, _ = sentence.rpartition(subject)
    noun = noun_of(wordings)
    if not name or not noun:
        return False
    read = words(before)
    places = [i for i, word in enumerate(read) if word in noun]
    allowed = PLAIN.union(*map(words, wordings))
    if noun <= set(read):  # the capital of ... X
        first = places[-len(noun)]
        return any(w not in allowed for w in read[max(0, first - 1) :])
    return False


def words(text: str) -> list[str]:
    """Lower-case words."""
    return WORD.findall(text.lower())


def spoken(text: str, subject: str, wordings: Sequence[str]) -> bool:
    """True if ``text`` has the words that all wordings share, in the sentence that names the
    subject or after it, and ends with the word that one of them ends with.

    Args:
        text: what was read so far.
        subject: the subject as it is written there.
        wordings: of the relation, ``{}`` for the subject.
    """
    before, name, after = text.rpartition(subject)
    noun = noun_of(wordings)
    if not name or not noun:
        return False
    read = words(f"{SENTENCE.split(before)[-1]} {after}")
    endings = {words(w)[-1] for w in wordings if not w.endswith("{}")}
    return noun <= set(read) and read[-1] in endings
