"""Reflection: a question, several readings that vote, and an answer with its trace.

    words     complete paths whose relations' own words explain every content word
    phrases   of these, the path whose order is that of the dependencies (spaCy; optional)
    encoder   phrases without a shared word; of all complete paths, the one that is put into words
              most like the question (MiniLM; optional)

How many readings agree is the confidence (:mod:`prism.mind.reflect.trace`). Two paths that
explain the question equally well and end differently are asked back.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from prism.inject import second_opinion
from prism.mind.knowledge import KnowledgeBase
from prism.mind.perceive import parser
from prism.mind.records import SAID, forget_texts, keeps_text
from prism.mind.reflect.graph import WITHIN, Graph, Memory, TapeMemory
from prism.mind.reflect.question import SPEAKER, Question, Several, alike, meant, namesakes, read
from prism.mind.reflect.readings import Reading
from prism.mind.reflect.relations import Vocabulary
from prism.mind.reflect.search import HOPS, Found, Path, search
from prism.mind.reflect.trace import Answer, agreeing, confidence, hops_of

RELATIONS = """SELECT DISTINCT relation_id FROM facts WHERE tenant = ? AND retired_at IS NULL
    UNION SELECT DISTINCT subject_id FROM facts
    WHERE tenant = ? AND retired_at IS NULL AND instr(subject_id, '/')"""
CHANGED = """SELECT relation_id FROM changes JOIN facts ON facts.id = changes.fact
    WHERE changes.tenant = ? AND seq > ?
    UNION SELECT subject_id FROM changes JOIN facts ON facts.id = changes.fact
    WHERE changes.tenant = ? AND seq > ? AND instr(subject_id, '/')"""
SHOWN = 4  # choices of an ambiguous question


class Reflector:
    """Answers to questions about one knowledge base.

    Args:
        kb: whose facts.
        memory: what gives the objects; None = the tenant's tape.
        wordings: further phrases for relations, by relation.
        readings: that vote beside the words; None = those whose packages are installed.
        hops: steps that a path has at most.
    """

    def __init__(
        self,
        kb: KnowledgeBase,
        memory: Memory | None = None,
        wordings: Mapping[str, Sequence[str]] | None = None,
        readings: Sequence[Reading] | None = None,
        hops: int = HOPS,
    ) -> None:
        self.kb, self.hops = kb, hops
        self.memory = TapeMemory(kb.view) if memory is None else memory
        self.vocabulary = Vocabulary(wordings)
        self.readings = default_readings() if readings is None else list(readings)
        self._seq, self._nameless = -1, False
        keeps_text(self)

    def reflect(self, text: str, context: Sequence[str] = (), at: float | None = None) -> Answer:
        """The answer to a question.

        Args:
            text: the question.
            context: what the conversation spoke of, the latest first; for pronouns.
            at: as the base believed at that time, seconds since 1970; None = now.
        """
        self._learn()
        graph = self._graph(at)
        question = read(text, graph)
        if not question.words:
            return Answer(None, 0.0, note="there is no question")
        if not question.names and question.pronoun:
            return self._meant(question, graph, context)
        if not question.names:
            return Answer(None, 0.0, note="it names nothing that is known here")
        return self._found(question, graph)

    def namesakes(self, text: str, at: float | None = None) -> Several | None:
        """A short name in a question that several names begin with, see
        :func:`prism.mind.reflect.question.namesakes`."""
        return namesakes(text, self._graph(at))

    def alike(self, text: str, at: float | None = None) -> Several | None:
        """ "My brother" in a question, of several brothers."""
        return alike(text, self._graph(at))

    def _graph(self, at: float | None) -> Graph:
        tenant = self.kb.tenant
        return Graph(self.kb.ledger, tenant, self.memory, at, time.time(), self._nameless)

    def _meant(self, question: Question, graph: Graph, context: Sequence[str]) -> Answer:
        """The answer about what a pronoun means: the latest thing spoken of that has one."""
        first: Answer | None = None
        for name in meant(question, graph, context):
            question.names = [name]
            answer = self._found(question, graph)
            if answer.outcome == "answer":
                return answer
            first = first or answer
        return first or Answer(None, 0.0, note="it names nothing that is known here")

    def _found(self, question: Question, graph: Graph) -> Answer:
        """The answer to a question whose names are known."""
        free = [i for i in range(len(question.words)) if not question.named(i)]
        mentions = self.vocabulary.mentions(question.words, free)
        found = search(question, mentions, graph, self.hops)
        votes: dict[str, Path | None] = {"words": _best(found)}
        for reading in self.readings:
            found = reading.extend(question, mentions, found, graph, self.vocabulary)
        for reading in self.readings:
            votes[reading.name] = reading.choose(question, found)
        return self._answer(question, found, votes, graph)

    def _learn(self) -> None:
        """Know the relations that were added since the last question."""
        seq = self.kb.ledger.last_change(self.kb.tenant)
        if seq == self._seq:
            return
        tenant = self.kb.tenant
        if self._erased():
            self.forget()
        if self._seq < 0:
            rows = self.kb.ledger.query(RELATIONS, (tenant, tenant))
        else:
            rows = self.kb.ledger.query(CHANGED, (tenant, self._seq, tenant, self._seq))
        for row in rows:  # "me/sister/cat" is a thing whose relations are its parts
            if row[0] == SAID:
                continue
            parts = row[0].split(WITHIN)
            self._nameless |= len(parts) > 1
            self.vocabulary.add(parts[1:] or parts)
        self._seq = seq

    def forget(self) -> None:
        """Keep no word of the questions and relations that were read: text was erased."""
        forget_texts()

    def cache_clear(self) -> None:
        """Effects of an erasure on every reader of texts in the process."""
        self.vocabulary, self._seq = Vocabulary(self.vocabulary.wordings), -1
        for reading in self.readings:
            reading.forget()

    def _erased(self) -> bool:
        """True if text was erased since the last question."""
        sql = "SELECT 1 FROM changes WHERE tenant = ? AND seq > ? AND op = 'rebuild' LIMIT 1"
        return bool(self.kb.ledger.query(sql, (self.kb.tenant, self._seq)))

    def _answer(
        self, question: Question, found: Found, votes: dict[str, Path | None], graph: Graph
    ) -> Answer:
        names = tuple(dict.fromkeys(n.said for n in question.names))
        if not found.paths:
            return Answer(None, 0.0, votes=_shown(votes), note=_why(question, found), nodes=names)
        counted: dict[tuple, int] = {}
        for path in votes.values():
            if path is not None:
                counted[_ends(path)] = counted.get(_ends(path), 0) + 1
        rivals = _level(found)
        top = max(counted.values(), default=0)
        leading = [p for p in found.paths if counted.get(_ends(p), 0) == top] or found.paths
        best = leading[0]
        ends = _together(best, found.paths)
        others = {p.edges[-1].shown for p in rivals} - set(ends)
        tied = {_ends(p) for p in leading} - {_ends(best)}
        if others and (tied or top == 0) and best in rivals:
            choices = tuple(_told(p) for p in _distinct([best, *rivals]))[:SHOWN]
            note = "it may mean: " + "; ".join(choices)
            return Answer(
                None,
                0.0,
                votes=_shown(votes),
                outcome="ambiguous",
                choices=choices,
                note=note,
                nodes=names,
            )
        hops = hops_of(best, [w.text for w in question.words])
        sure = confidence(agreeing(best, votes))
        sources = tuple(dict.fromkeys(hop.source for hop in hops))
        each = _of_each(best, found.paths, graph)
        text = ", ".join(each or ends)
        nodes = (*ends, *names)
        return Answer(text, sure, hops, sources, _shown(votes), "answer", each, nodes=nodes)


def default_readings() -> list[Reading]:
    """Those whose packages are installed, in the order in which they may add paths."""
    found: list[Reading] = []
    if second_opinion.available():
        from prism.mind.reflect.encoder import EncoderReading  # the weights are read here

        found.append(EncoderReading())
    if parser.available():
        from prism.mind.reflect.phrases import PhraseReading

        found.append(PhraseReading())
    if len(found) == 2:
        from prism.mind.reflect.leftover import LeftoverReading

        found.append(LeftoverReading(found[0]))
    return found


def _best(found: Found) -> Path | None:
    """The path that explains the question best; None where two that end differently do."""
    level = _level(found)
    return level[0] if level and len({p.edges[-1].end for p in level}) == 1 else _many(level)


def _many(level: Sequence[Path]) -> Path | None:
    """The first of paths of one shape, which give the several objects of a relation."""
    return level[0] if level and len({_ends(p) for p in level}) == 1 else None


def _level(found: Found) -> list[Path]:
    """The paths that score as well as the best."""
    high = found.scores[found.paths[0]] if found.paths else 0.0
    return [p for p in found.paths if high - found.scores[p] < 1e-9]


def _ends(path: Path) -> tuple:
    """Key by which two paths are one answer: a many-valued relation has several."""
    return (path.start.node, path.shape)


def _together(best: Path, paths: Sequence[Path]) -> list[str]:
    """The answers of all paths of the same shape: a relation may have many objects."""
    return list(dict.fromkeys(p.edges[-1].shown for p in paths if _ends(p) == _ends(best)))


def _of_each(best: Path, paths: Sequence[Path], graph: Graph) -> tuple[str, ...]:
    """The answers with the things that they are about, "Anton: Bern", where a step before the last
    leads to one of several ("my brother" of two); empty where all lead to one thing."""
    for place, edge in enumerate(best.edges[:-1]):
        if edge.back or edge.fact is None:
            continue
        beside = {e.end for e in graph.ahead([edge.start]) if e.relation == edge.relation}
        if len(beside) > 1:
            same = [path for path in paths if _ends(path) == _ends(best)]
            told = (f"{path.edges[place].shown}: {path.edges[-1].shown}" for path in same)
            return tuple(dict.fromkeys(told))
    return ()


def _distinct(paths: Sequence[Path]) -> list[Path]:
    return list({_ends(p): p for p in paths}.values())


def _told(path: Path) -> str:
    """A path as facts are shown: "my · wife · works for = Acme", "Rome · capital of = Italy"."""
    steps = [f"{relation} of" if back else relation for relation, back in path.shape]
    return " · ".join([path.start.said, *steps]) + f" = {path.edges[-1].shown}"


def _shown(votes: Mapping[str, Path | None]) -> tuple[tuple[str, str | None], ...]:
    return tuple((name, None if p is None else p.edges[-1].shown) for name, p in votes.items())


def _why(question: Question, found: Found) -> str:
    """Why there is no answer, in a line."""
    missing = found.near[0][1] if found.near else frozenset(question.required())
    words = [question.words[i].text for i in sorted(missing)]
    named = ("you" if n.node == SPEAKER else n.said for n in question.names)
    names = ", ".join(dict.fromkeys(named))
    if not words:
        return f"nothing is known that answers this about {names}"
    return f"about {names} nothing is known that explains {', '.join(words)}"
