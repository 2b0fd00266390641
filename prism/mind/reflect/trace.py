"""Trace of an answer: hops, votes and confidence as data that can be shown and stored.

    confidence(k) = (right_k + 1) / (answers_k + 2)          Laplace's rule of succession

``agreement.json`` holds the answers and the right ones by number of agreeing readings k; ``python
-m prism.eval_mind --calibrate`` writes it from the answers to a set.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path as File
from typing import Any

from prism.mind.records import Source
from prism.mind.reflect.graph import Edge
from prism.mind.reflect.search import Path
from prism.mind.reflect.words import FUNCTION, stem, tokens, yes_or_no

AGREEMENT = File(__file__).with_name("agreement.json")


@dataclass(frozen=True)
class Hop:
    """One step of an answer.

    Attributes:
        subject, relation, object: the fact, as it was written.
        back: walked from the object to the subject.
        words: of the question that asked for it; empty where it was left out.
        probability, z: of the memory's read; z in standard deviations of its noise, None where the
            ledger was read.
        fact: number of the fact.
        source: where it comes from.
    """

    subject: str
    relation: str
    object: str
    back: bool
    words: str
    probability: float | None
    z: float | None
    fact: int
    source: Source

    def __str__(self) -> str:
        how = f"{self.relation}({self.subject}) = {self.object}"
        z = "" if self.z is None else f"   z {self.z:.1f}"
        said = f'   "{self.source.text}"' if self.source.text else ""
        return f"{how}{'   backwards' if self.back else ''}{z}   {self.source}{said}"


@dataclass(frozen=True)
class Answer:
    """An answer, or why there is none.

    Attributes:
        text: the answer as it was written in the base; None = no answer.
        confidence: probability that it is right; 0 without one.
        hops: of the path, in order.
        sources: of its facts.
        votes: what each reading of the question chose; None = nothing.
        outcome: ``answer``, ``unknown`` or ``ambiguous``.
        choices: where ambiguous, what could be meant, with how each came about; of an answer about
            one of several ("my brother" of two), each with its answer.
        note: in one line why there is no answer.
        nodes: what the question spoke of and what came out, for later pronouns.
    """

    text: str | None
    confidence: float
    hops: tuple[Hop, ...] = ()
    sources: tuple[Source, ...] = ()
    votes: tuple[tuple[str, str | None], ...] = ()
    outcome: str = "unknown"
    choices: tuple[str, ...] = ()
    note: str = ""
    nodes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The answer as JSON holds it."""
        hops = [{**vars(hop), "source": vars(hop.source)} for hop in self.hops]
        plain = {k: v for k, v in vars(self).items() if k not in ("hops", "sources", "votes")}
        lists = {k: list(v) if isinstance(v, tuple) else v for k, v in plain.items()}
        return {**lists, "hops": hops, "votes": dict(self.votes)}


def hops_of(path: Path, words: list[str]) -> tuple[Hop, ...]:
    """The steps of a path; ``words`` are the question's."""
    return tuple(
        _hop(edge, " ".join(words[p] for p in sorted(mention.places)) if mention else "")
        for edge, mention in zip(path.edges, path.mentions, strict=True)
        if edge.fact is not None
    )


def _hop(edge: Edge, words: str) -> Hop:
    fact, read = edge.fact, edge.read
    assert fact is not None
    probability, z = (None, None) if read is None else (read.probability, read.z)
    names = fact.subject, fact.relation, fact.object
    return Hop(*names, edge.back, words, probability, z, fact.id, fact.source)


@lru_cache(maxsize=1)
def counts() -> dict[int, tuple[int, int]]:
    """Right answers and all answers, by number of agreeing readings."""
    rows = json.loads(AGREEMENT.read_text("utf-8"))["answers"]
    return {int(k): (right, total) for k, (right, total) in rows.items()}


def agreeing(path: Path, votes: Mapping[str, Path | None]) -> int:
    """Readings that chose the end of a path."""
    return sum(p is not None and p.edges[-1].end == path.edges[-1].end for p in votes.values())


def confidence(agree: int) -> float:
    """Probability that an answer on which so many readings agree is right."""
    right, total = counts().get(min(agree, max(counts())), (0, 0))
    return (right + 1) / (total + 2)


def asked_back(said: str, names: Sequence[str], answers: Sequence[Answer]) -> Answer:
    """An answer that names the several things that some words may mean, with what is known of each;
    which of them was meant is the asker's to say."""
    known = [(name, each) for name, each in zip(names, answers, strict=True) if each.text]
    choices = tuple(f"{name}: {each.text}" for name, each in known)
    note = f"{said} may be {' or '.join(names)}"
    if not known:
        return Answer(None, 0.0, note=f"{note}; of none of them that is known", nodes=tuple(names))
    silent = [name for name, each in zip(names, answers, strict=True) if not each.text]
    note += "; " + "; ".join([*choices, *(f"{name}: not known" for name in silent)])
    return Answer(
        *(None, 0.0, tuple(hop for _, each in known for hop in each.hops)),
        tuple(dict.fromkeys(source for _, each in known for source in each.sources)),
        outcome="ambiguous",
        choices=choices,
        note=note,
        nodes=tuple(names),
    )


def whether(question: str, answer: Answer) -> Answer:
    """The answer to a question that asks whether something is so: yes, where the question says what
    the base holds. What else it holds makes no "no": it is told instead."""
    if answer.text is None or not yes_or_no(question):
        return answer
    said = {stem(word.lower) for word in tokens(question)}
    held = [stem(w.lower) for w in tokens(answer.text) if w.lower not in FUNCTION]
    if held and said.issuperset(held):
        return replace(answer, text="yes")
    note = f"not known whether; what is: {answer.text}"
    unknown = replace(answer, text=None, confidence=0.0, hops=(), sources=())
    return replace(unknown, outcome="unknown", note=note)
