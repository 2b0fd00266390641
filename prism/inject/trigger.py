"""Per-sequence trigger detector and answer state machine.

At each token, hard decisions in this order:

1. an answer under way goes on if the text follows it (the latch), else it is dropped;
2. only after a word or sign like "is", "by", "of", ":" is a value due, or where the hidden state
   is as clear as hardly any text that asks for nothing;
3. the subject is the name with the most attention on it, else the last one;
4. the words of the clause decide: they ask for a relation of the subject in so many words, or for
   another thing (:mod:`prism.inject.asked`), or they leave it open;
5. how clear the hidden state must be for the relation depends on that (:class:`Levels`); where
   it is open, a second opinion decides instead if there is one;
6. the accumulator is read at (subject, relation, 0); below the noise threshold it gives nothing.

Without an injection at a step the model's logits of that step are not touched at all.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from prism.inject.asked import Verdict, goes_on, verdict
from prism.inject.clause import STOP, Clause, clause_of, is_whole_name
from prism.inject.names import SLOT, Mention, Transcript

if TYPE_CHECKING:
    from prism.data.tokens import Tokenizer
    from prism.inject.knowledge import Knowledge


WORD = re.compile(r"[^\W_]+")
NEARBY = 4  # names before the question that are tried
SHARED = 0.3  # share of a relation's content words from which it counts as spoken of
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
        score: how far the relation's score was above the threshold, when the answer began, in units
            of :class:`Levels`; below 0 where the words of the clause made up for it.
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


@dataclass(frozen=True)
class Candidate:
    """A relation that a place may ask for: the clause before it, what its words say of that, how
    clearly the model's state asks for it, the kind of place (:meth:`Transcript.place`), and whether
    an earlier place of the sentence asked for another thing."""

    relation: str
    clause: Clause
    said: Verdict
    clearness: float
    place: str
    refused: bool = False


@dataclass(frozen=True)
class Levels:
    """Clearness that a state must have, in units of the gap between two scores: the one that nearly
    all questions with the relation's words reach (0), and the one that hardly any other text does
    (1).

    Attributes:
        open: where the words say nothing against it.
        shared: where a content word of the relation, or one derived from it, is in the clause.
        asked: where the clause asks for it in so many words.
        further: where something is said of the value itself, or the subject is but a pronoun.
        inside: added where no value is due: not after a word like "is", "by", "of" or a colon.
        heard: below it a second opinion is not asked for; ``heard_inside`` where no value is due.
        odds: log-odds of a second opinion from which a clause asks for a relation.
    """

    open: float = 0.4
    shared: float = -0.5
    asked: float = -4.0
    further: float = 1.0
    inside: float = 0.7
    heard: float = -0.9
    heard_inside: float = 0.3
    odds: float = -0.75

    def of(self, said: Verdict, distance: int, place: str) -> float:
        """The level for a verdict of the clause, at a place of the text."""
        if said.kind == "asked":
            return self.asked
        level = self.shared if said.overlap >= SHARED else self.open
        if said.kind == "further" or distance == 1:
            level = self.further
        return level + (self.inside if place == "inside" else 0.0)

    def hears(self, one: Candidate) -> bool:
        """True where a second opinion is worth its time: the state is not against it."""
        return one.clearness > (self.heard if one.place == "slot" else self.heard_inside)


class FactTrigger:
    """Detector and state of one sequence, beside the model's own state."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._transcript = Transcript(knowledge.names, knowledge.tokenizer)
        self._last: Injection | None = None
        self._told: dict[tuple[str, str], int] = {}
        self._denied: dict[tuple[str, str], int] = {}

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
        clear = self._knowledge.clearness(hidden)
        best = [-math.inf] * len(tokens) if clear is None else clear.amax(dim=-1).tolist()
        injections = []
        for i, token in enumerate(tokens):
            at = len(self._transcript)
            self._transcript.append(token)
            injection = self._go_on(at, token)
            if injection is None and clear is not None:
                place = self._transcript.place()
                if place == "slot" or (place == "inside" and best[i] > 0):
                    row = None if attention is None else attention[i]
                    injection = self._begin(at, row, clear[i], place)
            injections.append(injection)
            self._last = injection
        return injections

    def _go_on(self, at: int, token: int) -> Injection | None:
        last = self._last
        if last is None:
            return None
        if last.token != token:
            if self._knowledge.read(last.subject, last.relation, last.place + 1) is not None:
                self._told.pop((last.subject, last.relation), None)  # it was not told to its end
            return None
        self._told[last.subject, last.relation] = at
        place = last.place + 1
        read = self._knowledge.read(last.subject, last.relation, place)
        if read is None:
            return None
        token, z = read
        return dataclasses.replace(last, position=at, token=token, z=z, place=place)

    def _begin(
        self, at: int, attention: Tensor | None, clear: Tensor, place: str
    ) -> Injection | None:
        seen = self._transcript.mentions()
        for mention, sure in self._subjects(seen, attention):
            asked = self._asked(mention, clear, sure, place)
            for relation, clearness in asked:
                read = self._knowledge.read(mention.subject, relation, 0)
                if read is not None and not self._cannot_act(mention.subject, relation):
                    return Injection(
                        at,
                        *read,
                        mention.subject,
                        relation,
                        0,
                        clearness,
                        mention.text,
                        mention.how,
                        self._knowledge.source(mention.subject, relation),
                    )
        return None

    def _asked(
        self, mention: Mention, clear: Tensor, sure: bool, place: str
    ) -> list[tuple[str, float]]:
        """The relations of the mentioned subject that are asked about, the likeliest first."""
        found = []
        for one in self._possible(mention, clear, sure, place):
            value = self._knowledge.asked(one)
            if value is not None:
                found.append((one.said.kind == "asked", one.said.overlap == 1, value, one))
        found.sort(key=lambda f: f[:3], reverse=True)
        return [(one.relation, one.clearness - 1) for *_, one in found]

    def _possible(
        self, mention: Mention, clear: Tensor, sure: bool, place: str
    ) -> Iterator[Candidate]:
        """The candidates that the words leave, and that were not told already."""
        for one in self.candidates(mention, clear, place):
            said, about = one.said, (mention.subject, one.relation)
            if said.kind == "other" and place == "slot" and one.clause.distance == 0 and said.lasts:
                self._denied[about] = len(self._transcript)  # what follows tells of that other one
            told = self._told.get(about, -1)
            again = said.kind != "asked" and (told >= mention.first or not sure)
            if said.kind != "other" and not again:
                yield one

    def candidates(self, mention: Mention, clear: Tensor, place: str) -> list[Candidate]:
        """The relations of the mentioned subject; none if the name is part of a longer one, or the
        text has left it."""
        knowledge = self._knowledge
        own = knowledge.relations_of(mention.subject)
        names = frozenset(word for r in own for word in knowledge.said_as(r)[0])
        text, start, end = self._transcript.around(mention)
        if not own or not is_whole_name(text, start, end, names):
            return []
        clause = clause_of(text, start, end)
        if clause is None:
            return []
        return [
            Candidate(
                relation,
                clause,
                verdict(clause, *knowledge.said_as(relation), knowledge.worded(relation)),
                float(clear[knowledge.index(relation)]),
                place,
                self._is_denied((mention.subject, relation)),
            )
            for relation in own
        ]

    def _cannot_act(self, subject: str, relation: str) -> bool:
        """True after "by", where somebody must follow, for a value that begins with a digit."""
        if words(self._transcript.tail())[-1:] != ["by"]:
            return False
        reads = (self._knowledge.read(subject, relation, place) for place in (0, 1))
        pieces = (self._knowledge.tokenizer.piece(r[0]) for r in reads if r is not None)
        if not b"".join(pieces).strip()[:1].isdigit():
            return False
        self._denied[subject, relation] = len(self._transcript)
        return True

    def _is_denied(self, fact: tuple[str, str]) -> bool:
        """True while the sentence goes on in which something else was asked for."""
        at = self._denied.get(fact)
        if at is None:
            return False
        rest = self._transcript.since(at)
        return not STOP.search(rest) and not goes_on(rest)

    def _subjects(
        self, seen: Sequence[Mention], attention: Tensor | None
    ) -> list[tuple[Mention, bool]]:
        """Names that may be asked about, the likeliest first, and whether it is sure which; those
        of which it is not must be asked about in so many words."""
        known = [m for m in seen if m.subject is not None]
        if not known:
            return []
        alone = len({m.subject for m in known}) == 1
        if attention is None:
            return [(known[-1], True)]
        attention = torch.cat([torch.zeros(1), attention[1:]])  # the first token is a place to rest
        mass = [float(attention[m.first : m.last + 1].sum()) for m in seen]
        best = max(range(len(seen)), key=mass.__getitem__)
        enough = mass[best] >= self._knowledge.share * float(attention.max())
        found = [(seen[best], True)] if enough and seen[best].subject is not None else []
        if not found or found[0][0] != known[-1]:
            found.append((known[-1], alone))
        others = [m for m in known[-NEARBY:-1] if m.subject not in {f.subject for f, _ in found}]
        return found + [(m, False) for m in reversed(others)]


def noun_of(wordings: Sequence[str]) -> frozenset[str]:
    """The content words that every wording has."""
    shared = frozenset.intersection(*(frozenset(words(w)) for w in wordings))
    return shared - PLAIN


def words(text: str) -> list[str]:
    """Lower-case words."""
    return WORD.findall(text.lower())
