"""Remembering: the remarks that may answer a question, and the answer over them.

Remarks that share words with the question are found in the ledger and read from the tape, like
facts; those that the tape does not confirm are left out. An answer from facts stands unless a
newer remark, or the sentence that a fact was read from itself, says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from prism.mind.knowledge import KnowledgeBase
from prism.mind.ledger import COLUMNS, fact_of
from prism.mind.perceive import parser
from prism.mind.perceive.remark import shown
from prism.mind.records import SAID, TRUST, Fact, identity
from prism.mind.reflect.graph import Memory, Read
from prism.mind.reflect.trace import Answer, Hop
from prism.mind.reflect.words import FIRST_PERSON, FUNCTION, PRONOUNS, stem, tokens
from prism.mind.remarks.parse import parsed
from prism.mind.remarks.reading import FILE, Filled, fill
from prism.mind.remarks.replacing import changes

FOUND, READ = 400, 12  # remarks that share a word; of these, the nearest are read
PART = 5  # letters of a stem that a remark is searched by
SURE = 0.6  # probability at which a sentence overrules the fact that was read from it
SPEAKER = "me"


class Remembering:
    """The reading of remarks of one knowledge base.

    Args:
        kb: whose.
        memory: what gives the sentences.
    """

    def __init__(self, kb: KnowledgeBase, memory: Memory) -> None:
        self.kb, self.memory = kb, memory
        self.able = parser.available() and FILE.is_file()

    def answer(
        self, question: str, facts: Answer, context: Sequence[str] = (), at: float | None = None
    ) -> Answer:
        """The answer to a question, given that from facts.

        Args:
            context: what a pronoun of the question may mean, the likeliest first.
            at: as the base believed at that time; None = now.
        """
        found = self._found(question, context, at) if self.able else []
        if not found:
            return facts
        asked = _named(question, context)
        if asked != question and facts.text is not None:
            return facts  # what the pronoun means was found with the answer
        texts, turns = zip(*((fact.object, fact.recorded_at) for fact, _ in found), strict=True)
        filled = fill(asked, texts, turns)
        if filled is not None and _wins(filled, found[filled.remark][0], facts):
            return _answer(filled, *found[filled.remark], facts)
        if _outdated(texts, [fact for fact, _ in found], facts):
            note = f"{facts.text} was said to have changed; to what is not understood"
            return replace(facts, text=None, outcome="unknown", note=note, choices=())
        return facts

    def _found(
        self, question: str, context: Sequence[str], at: float | None
    ) -> list[tuple[Fact, Read | None]]:
        """The remarks that may answer, as the memory gives them: the oldest first, but those of
        less trust before all others, so that a file takes no user's place."""
        words = [t.lower for t in tokens(_named(question, context))]
        stems = {stem(w) for w in words if w not in FUNCTION}
        mine = any(w in FIRST_PERSON for w in words)
        rows = self._rows(stems, mine, at)
        ranked = sorted(rows, key=lambda fact: (-_shared(fact, stems, mine), -fact.id))[:READ]
        near = sorted(ranked, key=lambda fact: (TRUST[fact.source.kind], fact.recorded_at, fact.id))
        if at is not None:
            return [(fact, None) for fact in near]
        topics = list(dict.fromkeys(fact.subject for fact in near))
        reads = dict(zip(topics, self.memory.read([(t, SAID) for t in topics]), strict=True))
        kept = []
        for fact in near:
            read = next((r for r in reads[fact.subject] if r.value == fact.object), None)
            if read is not None:
                kept.append((fact, read))
        return kept

    def _rows(self, stems: set[str], mine: bool, at: float | None) -> list[Fact]:
        parts = [s[:PART] for s in stems]
        like = ["instr(object_id, ?) > 0"] * len(parts)
        values: list[object] = [self.kb.tenant, identity(SAID), *parts]
        if mine:
            like.append("subject_id = ? OR subject_id LIKE ?")
            values += [SPEAKER, f"{SPEAKER}/%"]
        if not like:
            return []
        when = "retired_at IS NULL"
        if at is not None:
            when = "recorded_at <= ? AND (retired_at IS NULL OR retired_at > ?)"
            values += [at, at]
        rows = self.kb.ledger.query(
            f"SELECT {COLUMNS} FROM facts JOIN sources ON sources.id = facts.source "
            f"WHERE tenant = ? AND relation_id = ? AND ({' OR '.join(like)}) AND {when} "
            f"ORDER BY facts.id DESC LIMIT {FOUND}",
            tuple(values),
        )
        return [fact_of(row) for row in rows]


def _named(question: str, context: Sequence[str]) -> str:
    """A question with its first pronoun written out, if the conversation has spoken of a thing."""
    for word in tokens(question):
        if word.lower in PRONOUNS and word.lower not in ("there", "that") and context:
            own = word.lower in ("his", "its", "their") or word.lower.endswith("s")
            name = shown(context[0]) + ("'s" if own else "")
            return question[: word.start] + name + question[word.end :]
    return question


def _shared(fact: Fact, stems: set[str], mine: bool) -> float:
    """Number of the question's words that a remark has; half a word for being the speaker's."""
    own = {stem(t.lower) for t in tokens(fact.object)}
    return len(own & stems) + 0.5 * (mine and fact.subject.split("/")[0] == SPEAKER)


def _wins(filled: Filled, remark: Fact, facts: Answer) -> bool:
    """True if a remark's answer is given rather than that of facts."""
    if facts.text is None:
        return True
    if identity(filled.text) in {identity(facts.text), *map(identity, facts.nodes)}:
        return False  # it is the answer, or one of several
    if any(hop.source.kind != "user" for hop in facts.hops):
        return False
    last = facts.hops[-1]
    if remark.source.kind != "user":
        return False  # neither file nor program overrules a user
    if _same(remark, last):
        return filled.probability >= SURE
    return remark.id > last.fact and _about(remark, facts)


def _same(remark: Fact, hop: Hop) -> bool:
    """True if a fact was read from a remark's own sentence, or from a part of it."""
    words = hop.source.text
    return words is not None and words in (remark.source.text or "")


def _about(remark: Fact, facts: Answer) -> bool:
    """True if a remark speaks of a thing that an answer from facts rests on."""
    about = remark.object.casefold()
    names = {hop.subject.rpartition("/")[2].casefold() for hop in facts.hops}
    mine = bool(names & {SPEAKER}) and any(t.lower in FIRST_PERSON for t in tokens(remark.object))
    return mine or any(name in about for name in names - {SPEAKER})


def _outdated(texts: Sequence[str], found: Sequence[Fact], facts: Answer) -> bool:
    """True if a remark newer than the fact of an answer names the answer as changed."""
    if facts.text is None or any(hop.source.kind != "user" for hop in facts.hops):
        return False
    value = {stem(t.lower) for t in tokens(facts.text) if t.lower not in FUNCTION}
    said = facts.hops[-1]
    return any(
        fact.source.kind == "user"
        and fact.id > said.fact
        and not _same(fact, said)
        and value & {stem(t.lower) for t in tokens(text)}
        and changes(parsed(text))
        for fact, text in zip(found, texts, strict=True)
    )


def _answer(filled: Filled, remark: Fact, read: Read | None, facts: Answer) -> Answer:
    """An answer that a remark gives."""
    probability, z = (None, None) if read is None else (read.probability, read.z)
    hop = Hop(
        *(remark.subject, SAID, remark.object, False, filled.words),
        *(probability, z, remark.id, remark.source),
    )
    votes = (*facts.votes, ("remarks", filled.text))
    return replace(
        facts,
        text=filled.text,
        confidence=filled.probability,
        hops=(hop,),
        sources=(remark.source,),
        votes=votes,
        outcome="answer",
        choices=(),
        note="",
        nodes=(filled.text, *facts.nodes, remark.subject),
    )
