"""Words of a question that stand in the sentence in which a user stated a fact."""

from __future__ import annotations

from prism.mind.reflect.graph import Edge
from prism.mind.reflect.question import Question
from prism.mind.reflect.words import tokens


class Said:
    """Words of a question that stand in the sentence in which a user stated a fact: they explain it
    as its relation's words do, with less weight ("which day" beside "rehearses on Fridays").

    Args:
        question: its words.
        required: places of those that something must explain.
    """

    def __init__(self, question: Question, required: set[int]) -> None:
        self._stems = {p: question.words[p].stem for p in required if not question.turning(p)}
        self._places: dict[int, frozenset[int]] = {}

    def places(self, edge: Edge) -> frozenset[int]:
        """Places of the words that a fact's own sentence explains; none for a step back."""
        fact = edge.fact
        if fact is None or edge.back or fact.source.kind != "user" or not fact.source.text:
            return frozenset()
        if fact.id not in self._places:
            stems = {word.stem for word in tokens(fact.source.text)}
            self._places[fact.id] = frozenset(p for p, s in self._stems.items() if s in stems)
        return self._places[fact.id]
