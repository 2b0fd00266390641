"""Consolidation: which of the things said in a conversation become facts of the knowledge base.

    who        user turns only; those of an assistant, a tool or a system are refused by their role
    when       at the end of the turn, in one operation that one ``undo`` takes back
    what       assertions that the user vouches for (:mod:`prism.mind.perceive`); one that is hedged
               waits in working memory until it is confirmed or said again
    trust      user > api > file, as :class:`prism.mind.KnowledgeBase` has it
    ended      what the user says to hold no more is retired, if the ledger has it ("Tom has left
               Acme" of Acme alone); else nothing changes
    how many   a relation takes several objects where the words say so ("a sister", "French and
               Dutch", "also"), where it is one of ``lexicon.MANY``, or where the
               ledger has several already; any other takes one, and a new one supersedes it

A description is looked up ("the capital of Freedonia" is Fredville) if the ledger has one answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from prism.mind.knowledge import Added, KnowledgeBase
from prism.mind.ledger import Statement
from prism.mind.perceive import Sentence, Triple, lexicon, perceive
from prism.mind.perceive.remark import Remark
from prism.mind.perceive.sentences import confirms, corrected, doubted
from prism.mind.records import SAID, Fact, Source, identity
from prism.mind.working import WorkingMemory

ROLES = ("user", "assistant", "system", "tool")
ALSO = re.compile(r"\b(?:also|too|as well|another|besides)\b", re.IGNORECASE)
LEFT, LEAVABLE = lexicon.LEFT, lexicon.words("left")
RECENT = 8  # facts from which working memory is filled at a start


@dataclass(frozen=True)
class Outcome:
    """Outcome of a turn.

    Attributes:
        sentences: as they were perceived.
        noted: what the ledger has acknowledged.
        unsure: what waits for a confirmation; it is in no file.
        questions: what was asked.
        operation: number for ``undo``, or None where nothing was written.
        remarks: sentences that the ledger has acknowledged, in their own words.
        over: facts that the turn has ended.
        mistaken: what it said to be over and the ledger did not have, with what it has instead.
    """

    sentences: tuple[Sentence, ...] = ()
    noted: tuple[Added, ...] = ()
    unsure: tuple[Triple, ...] = ()
    questions: tuple[str, ...] = ()
    operation: int | None = None
    remarks: tuple[Added, ...] = ()
    over: tuple[Fact, ...] = ()
    mistaken: tuple[tuple[Triple, tuple[Fact, ...]], ...] = ()

    @property
    def changes(self) -> bool:
        """True if there is something to show of its statements."""
        return bool(self.noted or self.remarks or self.over or self.mistaken)

    @property
    def kept(self) -> tuple[Added, ...]:
        """Remarks that no fact of the same sentence shows already."""
        return unheard(self.noted, self.remarks)


def unheard(noted: Iterable[Added], remarks: Iterable[Added]) -> tuple[Added, ...]:
    """New remarks of sentences that gave none of the facts noted."""
    heard = [added.fact.source.text or "" for added in noted]
    return tuple(
        added
        for added in remarks
        if added.outcome != "known"
        and not any(words and words in (added.fact.source.text or "") for words in heard)
    )


@dataclass
class Consolidation:
    """The policy of one conversation.

    Args:
        kb: where facts go.
        speaker: name of the user, for provenance.
        memory: working memory; a new one is filled from the ledger's last facts.
    """

    kb: KnowledgeBase
    speaker: str = "you"
    memory: WorkingMemory = field(default_factory=WorkingMemory)

    _stated: tuple[int, tuple[Fact, ...]] = field(default=(0, ()), init=False)  # turn, its facts
    _doubts: dict[int, int] = field(default_factory=dict, init=False)  # turn -> last operation then

    def __post_init__(self) -> None:
        for fact in reversed(
            self.kb.ledger.rows(
                "tenant = ? AND retired_at IS NULL AND relation_id != ?",
                (self.kb.tenant, SAID),
                f"facts.id DESC LIMIT {RECENT}",
            )
        ):
            self.memory.heard(Triple(fact.subject, fact.relation, fact.object))

    def turn(self, text: str, role: str = "user") -> Outcome:
        """Take in a turn.

        Raises:
            ValueError: a role that is none of ``user``, ``assistant``, ``system``, ``tool``.
        """
        if role not in ROLES:
            raise ValueError(f"role {role!r}: must be one of {', '.join(ROLES)}")
        if role != "user":
            return Outcome()
        self.memory.next_turn()
        sentences = perceive(text, self.memory.resolve, self.memory.names(), self.memory.heard)
        said = [(fact, s.text) for s in sentences for fact in s.facts]
        if confirms(text):
            said += [(fact, words or text) for fact, words in self.memory.confirmed()]
        unsure = []
        for s in sentences:
            hedged = doubted(s, self.memory.resolve)
            self.memory.doubt(hedged, s.text)
            unsure += hedged
        kept = [(remark, remark.words or s.text) for s in sentences for remark in s.remarks]
        found = [self._ended(s.over) for s in sentences if s.over]
        over = {fact.id: fact for facts, _ in found for fact in facts}
        if not (said or kept or over) and (mended := self._mended(text)) is not None:
            old, new = mended
            said, over = [(new, text)], {old.id: old}
        written, operation = self._write(said, kept, over)
        noted = tuple(added for added in written if added.fact.relation != SAID)
        remarks = tuple(added for added in written if added.fact.relation == SAID)
        self._stated = self.memory.turn, tuple(added.fact for added in noted)
        questions = tuple(s.text for s in sentences if s.kind == "question")
        if unsure:
            self._doubts[self.memory.turn] = self.kb.last_operation() or 0
        mistaken = tuple(each for facts, each in found if each is not None)
        return Outcome(
            *(tuple(sentences), noted, tuple(unsure), questions, operation, remarks),
            *(tuple(over.values()), mistaken),
        )

    def _mended(self, text: str) -> tuple[Fact, Triple] | None:
        """The one fact that the turn before stated, and what "No, it's Porto" puts in its place."""
        turn, facts = self._stated
        if turn + 1 != self.memory.turn or len(facts) != 1:
            return None
        new = corrected(text, facts[0].object)
        if new is None:
            return None
        return facts[0], Triple(facts[0].subject, facts[0].relation, new)

    def withdraw(self) -> list[Triple]:
        """Drop what the last unsure turn left to be confirmed, where nothing was written since;
        what it was."""
        turn = self.memory.doubted_in()
        if turn is None or (self.kb.last_operation() or 0) > self._doubts.get(turn, 0):
            return []
        return self.memory.withdraw(turn)

    def _ended(
        self, triples: Sequence[Triple]
    ) -> tuple[list[Fact], tuple[Triple, tuple[Fact, ...]] | None]:
        """The live facts of which a sentence says that they hold no more; where there are none,
        what it speaks of and what holds of it instead."""
        others: list[Fact] = []
        for triple in triples:
            live, things = self._like(triple), {identity(triple.object)}
            if "/" in triple.object:
                things.add(identity(self._walked(triple.object, {})))
            same = [fact for fact in live if identity(fact.object) in things]
            if same and (triple.subject or len(same) == 1):
                return same, None
            others += live
        silent = not others and triples[0].relation == LEFT  # "Tom has left Rome"
        return [], None if silent else (triples[0], tuple(dict.fromkeys(others)))

    def _like(self, triple: Triple) -> list[Fact]:
        """The live facts with a subject and a relation, under any name of it."""
        names = LEAVABLE if triple.relation == LEFT else (*lexicon.sense(triple.relation),)
        relations = {identity(name) for name in (triple.relation, *names)}
        if triple.subject:
            facts = self.kb.facts(self._walked(triple.subject, {}))
            return [fact for fact in facts if identity(fact.relation) in relations]
        return self.kb.ledger.rows(
            "tenant = ? AND relation_id = ? AND object_id = ? AND retired_at IS NULL",
            (self.kb.tenant, identity(triple.relation), identity(triple.object)),
        )

    def _write(
        self, said: list[tuple[Triple, str]], kept: list[tuple[Remark, str]], over: Iterable[int]
    ) -> tuple[tuple[Added, ...], int | None]:
        """Write the facts and remarks of a turn, and end those that are over, in one operation;
        what the ledger says of each, and the operation's number, if it changed anything."""
        here: dict[tuple[str, str], str] = {}
        statements = []
        for fact, words in said:
            subject, relation = self._walked(fact.subject, here), fact.relation
            relation = self._kept_as(subject, self._slot(subject, relation, fact.object))
            many = self._many(fact, relation, words)
            thing = self._walked(fact.object, here) if "/" in fact.object else fact.object
            source = Source("user", self.speaker, None, words)
            statements.append(Statement(subject, relation, thing, source, many))
            here[identity(subject), identity(relation)] = thing
        for remark, words in kept:
            source = Source("user", self.speaker, None, words)
            topic = self._walked(remark.topic, here)
            statements.append(Statement(topic, SAID, remark.text, source, many=True))
        over = tuple(over)
        if not (statements or over):
            return (), None
        written, operation = self.kb.change(statements, over)
        changed = bool(over) or any(added.operation is not None for added in written)
        return tuple(written), operation if changed else None

    def _walked(self, path: str, here: dict[tuple[str, str], str]) -> str:
        """A description as the name that the ledger, or the same turn, has for it."""
        first, *steps = path.split("/")
        at = first
        for step in steps:
            if (found := here.get((identity(at), identity(step)))) is None:
                live = self.kb.get(at, step) if at.strip() and step.strip() else []
                found = live[0].object if len(live) == 1 else None
            at = found if found is not None else f"{at}/{step}"
        return at

    def _many(self, fact: Triple, relation: str, words: str) -> bool:
        name = relation.split()[-1].lower()
        known = relation in lexicon.MANY or name in lexicon.MANY
        return fact.many or known or ALSO.search(words) is not None

    def _kept_as(self, subject: str, relation: str) -> str:
        """The name under which the ledger keeps a relation of a subject already: its vocabulary is
        its owner's, so "works for" is ``employer`` where a table has said so."""
        if self.kb.get(subject, relation):
            return relation
        for name in lexicon.sense(relation):
            if self.kb.get(subject, name):
                return name
        return relation

    def _slot(self, subject: str, relation: str, thing: str) -> str:
        """The relation whose value is changed by a move: "has moved to room 31" is about whatever
        "room 12" was."""
        kind = re.fullmatch(r"([a-z]+) [\w-]+", thing)
        if relation not in ("lives in", "located in") or kind is None:
            return relation
        for fact in self.kb.facts(subject):
            if re.fullmatch(rf"{kind[1]} [\w-]+", fact.object):
                return fact.relation
        return relation
